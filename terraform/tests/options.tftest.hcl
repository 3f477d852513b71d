# Everything that can be asked for beside the five values.

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
  partner   = { host = "sftp.partner.example", user = "acme", port = 2222, ranges = ["203.0.113.0/24"] }
  alerting  = { emails = [], channels = ["projects/acme-data-share/notificationChannels/7"], runbook_url = "https://git.example/share/blob/main/" }
}

run "returns_a_key_of_ours_and_a_locked_archive" {
  module {
    source = "./module"
  }

  command = plan

  variables {
    returns = { host = "returns.partner.example", user = "acme", port = 2223, error_pattern = "(?i)reject" }
    kms_key = "projects/acme-keys/locations/europe-west1/keyRings/share/cryptoKeys/objects"
    archive = { retention_days = 1825, lock = true, delete_after_days = 2000 }
  }

  assert {
    condition     = length(google_secret_manager_secret_iam_member.secret_to_function) == 7
    error_message = "The returns server's key and host keys are missing, or not readable by the function."
  }
  assert {
    condition = {
      for name in ["RETURNS_HOST", "RETURNS_PORT", "RETURNS_USER", "RETURNS_ERROR_PATTERN", "RETURNS_KEY_SECRET", "RETURNS_HOST_KEYS_SECRET"] :
      name => google_cloudfunctions2_function.share.service_config[0].environment_variables[name]
      } == {
      RETURNS_HOST       = "returns.partner.example", RETURNS_PORT = "2223", RETURNS_USER = "acme", RETURNS_ERROR_PATTERN = "(?i)reject"
      RETURNS_KEY_SECRET = "amazon-pspp-returns-key", RETURNS_HOST_KEYS_SECRET = "amazon-pspp-returns-host-keys"
    }
    error_message = "The function does not hear of the returns server."
  }
  assert {
    condition     = toset(one(google_compute_firewall.to_partner[0].allow).ports) == toset(["2222", "2223"])
    error_message = "The firewall does not let the function reach the returns server."
  }

  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.archive, google_storage_bucket.records] : bucket.encryption[0].default_kms_key_name == var.kms_key])
    error_message = "A bucket is not encrypted with the key that was named."
  }
  assert {
    condition     = alltrue([for topic in [google_pubsub_topic.messages, google_pubsub_topic.rejected, google_pubsub_topic.rotation] : topic.kms_key_name == var.kms_key]) && google_cloudfunctions2_function.share.kms_key_name == var.kms_key && google_artifact_registry_repository.images.kms_key_name == var.kms_key
    error_message = "A topic, the function or its images are not encrypted with the key that was named."
  }
  assert {
    condition     = toset(keys(google_kms_crypto_key_iam_member.this)) == toset(["artifactregistry", "cloudfunctions", "pubsub", "run", "storage"])
    error_message = "A service may not use the key, so that nothing could be written there."
  }

  assert {
    condition     = google_storage_bucket.archive.retention_policy[0].is_locked && google_storage_bucket.archive.retention_policy[0].retention_period == "157680000"
    error_message = "The retention is not locked for five years."
  }
  assert {
    condition     = anytrue([for rule in google_storage_bucket.archive.lifecycle_rule : one(rule.action).type == "Delete" && one(rule.condition).age == 2000])
    error_message = "Objects are not deleted after 2000 days."
  }
}

run "people_get_what_their_work_needs_and_a_new_project_its_dataset_and_budget" {
  module {
    source = "./module"
  }

  command = plan

  variables {
    people = {
      operators  = ["group:oncall@example.com"]
      custodians = ["user:kim@example.com"]
      auditors   = ["group:audit@example.com"]
    }
    warehouse = { dataset = "amazon_pspp", create = true }
    budget    = { billing_account = "0123AB-4567CD-89EF01", amount = 150 }
  }

  assert {
    condition     = keys(google_pubsub_topic_iam_member.messages_from_operators) == ["group:oncall@example.com"] && keys(google_pubsub_subscription_iam_member.rejected_to_operators) == ["group:oncall@example.com"]
    error_message = "Operators cannot publish messages, or cannot read rejected ones."
  }
  assert {
    condition     = toset([for grant in google_secret_manager_secret_iam_member.secret_from_custodians : "${grant.role} ${grant.member}"]) == toset(["roles/secretmanager.secretVersionManager user:kim@example.com"])
    error_message = "Custodians may do something else than manage versions of secrets."
  }
  assert {
    condition     = length(google_secret_manager_secret_iam_member.secret_from_custodians) == 5
    error_message = "Custodians cannot manage every secret."
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.archive_to_auditors) == ["group:audit@example.com"]
    error_message = "Others than the auditors may read the archive."
  }

  assert {
    condition     = google_bigquery_dataset.warehouse[0].dataset_id == "amazon_pspp" && google_bigquery_dataset.warehouse[0].max_time_travel_hours == "168"
    error_message = "The dataset is not made, or not with the time travel that snapshots rely on."
  }
  assert {
    condition     = google_billing_budget.this[0].amount[0].specified_amount[0].units == "150"
    error_message = "The budget is not the amount that was asked for."
  }
  assert {
    condition     = length(google_billing_budget.this[0].all_updates_rule) == 0
    error_message = "A budget takes channels of the type email alone; the API refuses any other."
  }

  assert {
    condition     = google_monitoring_alert_policy.event["window.late_rows"].documentation[0].links[0].url == "https://git.example/share/blob/main/RUNBOOK.md#window-late_rows"
    error_message = "The link does not lead to RUNBOOK.md#window-late_rows."
  }
  assert {
    condition     = google_monitoring_alert_policy.event["window.late_rows"].notification_channels == tolist(["projects/acme-data-share/notificationChannels/7"])
    error_message = "The alert does not reach the channel that was named."
  }
}

run "without_a_network_nothing_of_it_is_made" {
  module {
    source = "./module"
  }

  command = plan

  variables {
    network = null
  }

  assert {
    condition     = length(google_compute_network.this) + length(google_compute_address.outgoing) + length(google_dns_record_set.google_apis) == 0
    error_message = "Something of the network is made though none is asked for."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.share.service_config[0].direct_vpc_network_interface) == 0 && output.outgoing_address == null
    error_message = "The function is attached to a network that does not exist."
  }
}
