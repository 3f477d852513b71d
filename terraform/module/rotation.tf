# Reminders that a key of ours is due. Secret Manager changes nothing by itself: it publishes a message, the message
# waits on a subscription, and a message that waits there opens an incident until somebody acknowledges it.

resource "google_pubsub_topic" "rotation" {
  #checkov:skip=CKV_GCP_83:Reminders name a secret and never its value; a key is used where kms_key names one.
  project      = var.project
  labels       = local.labels
  name         = "${var.name}-rotation"
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.this, time_sleep.key]
}

resource "google_pubsub_topic_iam_member" "rotation_from_secret_manager" {
  project = var.project
  topic   = google_pubsub_topic.rotation.name
  role    = "roles/pubsub.publisher"
  member  = local.service_agents["secretmanager"]

  depends_on = [google_project_service_identity.this]
}

resource "google_pubsub_subscription" "rotation" {
  project                    = var.project
  labels                     = local.labels
  name                       = "${var.name}-rotation"
  topic                      = google_pubsub_topic.rotation.id
  filter                     = "attributes.eventType = \"SECRET_ROTATE\"" # the topic also hears of every new version
  message_retention_duration = "${31 * 24 * 3600}s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription_iam_member" "rotation_to_custodians" {
  for_each = var.people.custodians

  project      = var.project
  subscription = google_pubsub_subscription.rotation.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_monitoring_alert_policy" "rotation_due" {
  project               = var.project
  display_name          = "${var.name}: a key of ours is to be changed"
  severity              = "WARNING"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "A reminder waits"
    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.rotation.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
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
    content   = "See which secret: `${local.commands.read_rotation}`. Change the key as the deployment guide says under \"Rotate\", then acknowledge the reminder: the same command with `--auto-ack`."
  }
}
