# Two partners in one project: what one deployment has is not the other's.

mock_provider "google" {
  override_during = plan
  source          = "./tests/mocks"
}
mock_provider "google-beta" {}
mock_provider "archive" {}
mock_provider "time" {}

run "two_deployments_live_together" {
  command = plan

  module {
    source = "./examples/two_partners"
  }

  assert {
    condition     = length(setintersection(values(module.amazon.buckets), values(module.second.buckets))) == 0
    error_message = "Both would write into one bucket."
  }
  assert {
    condition = length(setintersection(
      [for line in split("\n", module.amazon.operator_env) : line if can(regex("^(TOPIC|REJECTED_TOPIC|\\w+_SECRET)=", line))],
      [for line in split("\n", module.second.operator_env) : line if can(regex("^(TOPIC|REJECTED_TOPIC|\\w+_SECRET)=", line))],
    )) == 0
    error_message = "Both would use one topic, or one secret."
  }
  assert {
    condition     = length(setintersection(regexall("add [\\w-]+", module.amazon.secrets_to_fill), regexall("add [\\w-]+", module.second.secrets_to_fill))) == 0
    error_message = "A key of one would be filled into the other."
  }
}
