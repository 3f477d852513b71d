# Messages that can never succeed, with the reason. They wait for a person: 31 days, the longest that Pub/Sub keeps.

resource "google_pubsub_topic" "rejected" {
  #checkov:skip=CKV_GCP_83:Messages name hours and datasets, never rows; a key is used where kms_key names one.
  project      = var.project
  labels       = local.labels
  name         = "${var.name}-rejected"
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.this, time_sleep.key]
}

resource "google_pubsub_topic_iam_member" "rejected_from_function" {
  project = var.project
  topic   = google_pubsub_topic.rejected.name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.function.member
}

resource "google_pubsub_subscription" "rejected" {
  project                    = var.project
  labels                     = local.labels
  name                       = "${var.name}-rejected"
  topic                      = google_pubsub_topic.rejected.id
  message_retention_duration = "${31 * 24 * 3600}s"
  ack_deadline_seconds       = 600

  # Without this, Pub/Sub deletes a subscription that nobody read for 31 days.
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription_iam_member" "rejected_to_operators" {
  for_each = local.operators

  project      = var.project
  subscription = google_pubsub_subscription.rejected.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_monitoring_alert_policy" "rejected_unread" {
  project               = var.project
  display_name          = "${var.name}: rejected messages are about to be lost"
  severity              = "WARNING"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "A rejected message is 25 days old"
    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.rejected.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = 25 * 24 * 3600
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
    content   = "Nobody took it off the subscription, and Pub/Sub keeps it for 31 days. Read, fix and republish it: `${local.commands.read_rejected}`. ${local.runbook["message.rejected"].text}"
  }
}
