# Values that are refused, before anything is planned.

mock_provider "google" {
  override_during = plan
  source          = "./tests/mocks"
}
mock_provider "google-beta" {}
mock_provider "archive" {}
mock_provider "time" {}

variables {
  project   = "acme-data-share"
  warehouse = { dataset = "amazon_pspp" }
  partner   = { host = "sftp.partner.example", user = "acme" }
  alerting  = { emails = ["data-oncall@example.com"] }
}

run "values_that_cannot_work_are_refused_before_anything_is_planned" {
  module {
    source = "./module"
  }

  command = plan
  expect_failures = [
    var.region, var.warehouse, var.partner, var.pgp, var.limits, var.schedules,
    var.archive, var.network, var.people, var.alerting, var.budget,
  ]

  variables {
    region    = "EU"                                                  # a multi-region
    warehouse = { dataset = "acme.amazon_pspp" }                      # with its project
    partner   = { host = "sftp://partner.example/in", user = "acme" } # a URL
    pgp       = { compression = "lzma:9" }                            # unknown
    limits    = { max_part_rows = 0.5, max_message_age_hours = 200 }  # half a row; older than Pub/Sub keeps
    schedules = { deliver = "0 5 * * * *" }                           # with seconds
    archive   = { retention_days = 365, delete_after_days = 30 }      # deleted before it may be
    network   = { subnet = "10.90.0.0/28" }                           # too small for direct egress
    people    = { auditors = ["allUsers"] }                           # the public
    alerting  = { emails = [] }                                       # nobody
    budget    = { billing_account = "billing", amount = 100 }         # no billing account
  }
}

run "values_that_contradict_each_other_are_refused" {
  module {
    source = "./module"
  }

  command         = plan
  expect_failures = [var.warehouse, var.partner, var.archive, var.kms_key, var.contracts]

  variables {
    warehouse = { dataset = "amazon_pspp", project = "acme-warehouse", create = true }  # ours and another project's
    partner   = { host = "sftp.partner.example", user = "acme", publish = "copy" }      # unknown
    archive   = { nearline_days = 90, coldline_days = 30 }                              # warmer with age
    kms_key   = "projects/acme-keys/locations/europe/keyRings/share/cryptoKeys/objects" # not the region's
    contracts = "terraform/tests/mocks"                                                 # no contract in it
  }
}
