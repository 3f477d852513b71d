# Messages that the function works off: from Scheduler, from people, and from the function itself when it fans out.

resource "google_pubsub_topic" "messages" {
  #checkov:skip=CKV_GCP_83:Messages name hours and datasets, never rows, so that Google's encryption is enough.
  name = "${var.name}-messages"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic_iam_member" "messages_from_function" {
  topic  = google_pubsub_topic.messages.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.function.member
}

resource "google_pubsub_topic_iam_member" "messages_from_scheduler" {
  topic  = google_pubsub_topic.messages.name
  role   = "roles/pubsub.publisher"
  member = local.service_agents["cloudscheduler"]

  depends_on = [google_project_service_identity.this]
}

resource "google_pubsub_topic_iam_member" "messages_from_operators" {
  for_each = var.people.operators

  topic  = google_pubsub_topic.messages.name
  role   = "roles/pubsub.publisher"
  member = each.value
}
