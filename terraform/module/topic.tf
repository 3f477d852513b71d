# Messages that the function works off: from Scheduler, from people, and from the function itself when it fans out.
# A push subscription of ours calls the function, so that how long a message is kept and tried again is said here.

resource "google_pubsub_topic" "messages" {
  #checkov:skip=CKV_GCP_83:Messages name hours and datasets, never rows; a key is used where kms_key names one.
  project      = var.project
  labels       = local.labels
  name         = "${var.name}-messages"
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.this, time_sleep.key]
}

resource "google_pubsub_subscription" "messages" {
  project                    = var.project
  labels                     = local.labels
  name                       = "${var.name}-messages"
  topic                      = google_pubsub_topic.messages.id
  ack_deadline_seconds       = 600
  message_retention_duration = "${local.messages_kept_hours * 3600}s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.share.service_config[0].uri
    oidc_token {
      service_account_email = google_service_account.trigger.email
      audience              = google_cloudfunctions2_function.share.service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # Without this, Pub/Sub deletes a subscription that was idle for 31 days.
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.function_from_trigger]
}

locals {
  # The function rejects a message at limits.max_message_age_hours, which is earlier: it is then kept with the reason, for
  # another 31 days.
  messages_kept_hours = 7 * 24

  # run.failed speaks after an hour; this one also where the function does not even start.
  messages_waiting_seconds = 90 * 60
}

resource "google_pubsub_topic_iam_member" "messages_from_function" {
  project = var.project
  topic   = google_pubsub_topic.messages.name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.function.member
}

resource "google_pubsub_topic_iam_member" "messages_from_scheduler" {
  project = var.project
  topic   = google_pubsub_topic.messages.name
  role    = "roles/pubsub.publisher"
  member  = local.service_agents["cloudscheduler"]

  depends_on = [google_project_service_identity.this]
}

resource "google_pubsub_topic_iam_member" "messages_from_operators" {
  for_each = local.operators

  project = var.project
  topic   = google_pubsub_topic.messages.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_monitoring_alert_policy" "messages_waiting" {
  project               = var.project
  display_name          = "${var.name}: messages are waiting for the function"
  severity              = "ERROR"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "A message is ${local.messages_waiting_seconds / 60} minutes old and not carried out"
    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.messages.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = local.messages_waiting_seconds
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  alert_strategy {
    auto_close = local.auto_close
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Messages fail, or the function does not start: then nothing else may say so. ${local.runbook["messages.waiting"].text}\n\nIts last lines: `${local.commands.log}`"

    dynamic "links" {
      for_each = compact([local.runbook["messages.waiting"].url])
      content {
        display_name = "Runbook: messages waiting"
        url          = links.value
      }
    }
  }
}
