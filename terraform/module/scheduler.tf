# What happens by itself, and when. A job carries no time: the function takes the hour from the message's publish time.

locals {
  jobs = {
    deliver = { schedule = var.schedules.deliver, message = {}, what = "Share the last full hour of every dataset." }
    certify = { schedule = var.schedules.certify, message = { action = "certify" }, what = "Recount the source and certify what was delivered." }
    collect = { schedule = var.schedules.collect, message = { action = "collect" }, what = "Fetch what the partner returned." }
    keys    = { schedule = var.schedules.keys, message = { action = "keys" }, what = "Look at keys and host keys." }
  }
}

# Scheduler publishes as its own service agent: a Pub/Sub target takes no service account.
resource "google_cloud_scheduler_job" "this" {
  for_each = local.jobs

  project     = var.project
  name        = "${var.name}-${each.key}"
  description = each.value.what
  region      = var.region
  schedule    = each.value.schedule
  time_zone   = "Etc/UTC"
  paused      = var.schedules.paused

  pubsub_target {
    topic_name = google_pubsub_topic.messages.id
    data       = base64encode(jsonencode(each.value.message))
  }

  # Repeats a publish that failed; the hour stays the same unless all five fail within it.
  retry_config {
    retry_count          = 5
    min_backoff_duration = "5s"
    max_backoff_duration = "120s"
  }

  depends_on = [google_pubsub_topic_iam_member.messages_from_scheduler]
}
