# The deployment of terraform.tfvars.example: five values, everything else by default.

mock_provider "google" {
  override_during = plan
  source          = "./tests/mocks"
}
mock_provider "google-beta" {}
mock_provider "archive" {}
mock_provider "time" {}

override_resource {
  target          = google_service_account.function
  override_during = plan
  values = {
    id     = "projects/acme-data-share/serviceAccounts/amazon-pspp-function@acme-data-share.iam.gserviceaccount.com"
    email  = "amazon-pspp-function@acme-data-share.iam.gserviceaccount.com"
    member = "serviceAccount:amazon-pspp-function@acme-data-share.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.trigger
  override_during = plan
  values = {
    id     = "projects/acme-data-share/serviceAccounts/amazon-pspp-trigger@acme-data-share.iam.gserviceaccount.com"
    email  = "amazon-pspp-trigger@acme-data-share.iam.gserviceaccount.com"
    member = "serviceAccount:amazon-pspp-trigger@acme-data-share.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.build
  override_during = plan
  values = {
    id     = "projects/acme-data-share/serviceAccounts/amazon-pspp-build@acme-data-share.iam.gserviceaccount.com"
    email  = "amazon-pspp-build@acme-data-share.iam.gserviceaccount.com"
    member = "serviceAccount:amazon-pspp-build@acme-data-share.iam.gserviceaccount.com"
  }
}

variables {
  project   = "acme-data-share"
  warehouse = { dataset = "amazon_pspp" }
  partner   = { host = "sftp.partner.example", user = "acme" }
  alerting  = { emails = ["data-oncall@example.com"] }
}

run "the_function_retries_and_stops_itself_in_time" {
  module {
    source = "./module"
  }

  command = plan

  assert {
    condition     = length(google_cloudfunctions2_function.share.event_trigger) == 0 && google_pubsub_subscription.messages.topic == google_pubsub_topic.messages.id
    error_message = "The function is not called by the subscription of the topic that Scheduler and operators publish to."
  }
  assert {
    condition     = google_pubsub_subscription.messages.message_retention_duration == "604800s" && google_pubsub_subscription.messages.expiration_policy[0].ttl == ""
    error_message = "A message that fails for long is lost within a week, or the subscription expires."
  }
  assert {
    condition     = google_pubsub_subscription.messages.ack_deadline_seconds == 600 && google_pubsub_subscription.messages.retry_policy[0].maximum_backoff == "600s"
    error_message = "A message is delivered again while it is carried out, or is not tried again within ten minutes."
  }

  assert {
    condition     = google_cloudfunctions2_function.share.service_config[0].timeout_seconds == 540
    error_message = "The timeout is not the 540 s that the pipeline is made for."
  }
  assert {
    condition     = tonumber(google_cloudfunctions2_function.share.service_config[0].environment_variables["TIME_BUDGET_SECONDS"]) <= 540 - 90
    error_message = "The time budget leaves less than 90 s to start and to abort cleanly."
  }
  assert {
    condition     = google_cloudfunctions2_function.share.service_config[0].max_instance_request_concurrency == 1
    error_message = "Two messages would share one instance's memory and one time budget."
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.this : job.time_zone == "Etc/UTC"])
    error_message = "A schedule would jump with daylight saving time."
  }
  assert {
    condition = { for name, job in google_cloud_scheduler_job.this : name => base64decode(job.pubsub_target[0].data) } == {
      deliver = "{}", certify = "{\"action\":\"certify\"}", collect = "{\"action\":\"collect\"}", keys = "{\"action\":\"keys\"}"
    }
    error_message = "A schedule publishes another message than the one of its action."
  }
}

run "nobody_may_do_more_than_needed" {
  module {
    source = "./module"
  }

  command = plan

  assert {
    condition     = google_cloudfunctions2_function.share.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "The function can be called from outside."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.function_from_trigger.member == "serviceAccount:amazon-pspp-trigger@acme-data-share.iam.gserviceaccount.com"
    error_message = "Somebody else than the trigger's account may call the function."
  }
  assert {
    condition     = google_pubsub_subscription.messages.push_config[0].oidc_token[0].service_account_email != google_cloudfunctions2_function.share.service_config[0].service_account_email
    error_message = "Messages are pushed as the function: the account that may call it could read the data."
  }

  assert {
    condition = alltrue([
      for grants in [google_storage_bucket_iam_member.archive_to_function, google_storage_bucket_iam_member.records_to_function] :
      toset([for grant in grants : grant.role]) == toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])
    ])
    error_message = "The function has another role on a bucket than to create and to read."
  }

  assert {
    condition     = google_bigquery_dataset_iam_member.warehouse_to_function.dataset_id == "amazon_pspp" && google_bigquery_dataset_iam_member.warehouse_to_function.role == "roles/bigquery.dataViewer"
    error_message = "The function may do something else in BigQuery than read the one dataset."
  }
  assert {
    condition     = toset([for grant in google_project_iam_member.queries_by_function : grant.role]) == toset(["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"])
    error_message = "The function has a role on the project that is not needed to run a query."
  }
  assert {
    condition     = length(google_bigquery_dataset.warehouse) == 0
    error_message = "The dataset belongs to dbt and is made here without being asked for."
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_iam_member.secret_to_function)) == toset(["pgp-partner-key", "pgp-signing-key", "pgp-signing-passphrase", "sftp-host-keys", "sftp-key"])
    error_message = "The secrets are others than the five that a delivery needs."
  }
  assert {
    condition     = alltrue([for grant in google_secret_manager_secret_iam_member.secret_to_function : grant.member == "serviceAccount:amazon-pspp-function@acme-data-share.iam.gserviceaccount.com"])
    error_message = "Somebody else than the function may read a secret."
  }
  assert {
    condition     = alltrue([for name in ["pgp-signing-key", "pgp-signing-passphrase", "sftp-key"] : length(google_secret_manager_secret.this[name].rotation) == 1 && length(google_secret_manager_secret.this[name].topics) == 1])
    error_message = "Nobody is reminded to change a key of ours."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.share.service_config[0].secret_environment_variables) == 0
    error_message = "A secret would stand in the function's environment."
  }
}

run "alerts_watch_their_own_event_and_reach_somebody" {
  module {
    source = "./module"
  }

  command = plan

  assert {
    condition     = alltrue([for event in keys(google_monitoring_alert_policy.event) : strcontains(google_logging_metric.event[event].filter, "jsonPayload.event=(\"${event}\")")])
    error_message = "A metric counts another event."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.event : length(policy.notification_channels) > 0 && policy.enabled != false])
    error_message = "A policy tells nobody."
  }
  assert {
    condition     = alltrue([for event in ["run.failed", "source.late"] : google_monitoring_alert_policy.event[event].conditions[0].condition_prometheus_query_language[0].duration == "3600s"])
    error_message = "What is retried by itself is told before it has lasted for an hour."
  }
  assert {
    condition     = google_monitoring_alert_policy.nothing_certified.conditions[0].condition_prometheus_query_language[0].duration == "7200s"
    error_message = "Silence is not told after three hours: one hour in the query and two of duration."
  }
}

run "nothing_is_public_and_nothing_is_lost" {
  module {
    source = "./module"
  }

  command = plan

  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.archive, google_storage_bucket.records, google_storage_bucket.source] : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "A bucket could be opened to the public, or object by object."
  }
  assert {
    condition     = google_storage_bucket.archive.retention_policy[0].retention_period == "31536000" && !google_storage_bucket.archive.force_destroy && !google_storage_bucket.records.force_destroy
    error_message = "The archive is not kept for a year, or goes with the deployment."
  }
  assert {
    condition     = google_pubsub_subscription.rejected.message_retention_duration == "2678400s" && google_pubsub_subscription.rejected.expiration_policy[0].ttl == ""
    error_message = "Rejected messages are not kept for 31 days, or their subscription expires."
  }

  assert {
    condition     = google_cloudfunctions2_function.share.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" && google_compute_router_nat.this[0].nat_ip_allocate_option == "MANUAL_ONLY"
    error_message = "Traffic to the partner would leave from a changing address."
  }
  assert {
    condition     = one(google_compute_firewall.to_nowhere_else[0].deny).protocol == "all" && toset(one(google_compute_firewall.to_partner[0].allow).ports) == toset(["22"])
    error_message = "The way out is wider than the partner's port."
  }
}
