# What a person needs next, most of it as commands to paste.

locals {
  commands = {
    deliver       = "gcloud pubsub topics publish ${google_pubsub_topic.messages.name} --project=${var.project} --message='{}'"
    republish     = "gcloud pubsub topics publish ${google_pubsub_topic.messages.name} --project=${var.project} --message='{\"window\": {\"start\": \"2026-11-23T13:00:00Z\", \"end\": \"2026-11-23T14:00:00Z\"}}'"
    certify       = "gcloud pubsub topics publish ${google_pubsub_topic.messages.name} --project=${var.project} --message='{\"action\": \"certify\"}'"
    keys          = "gcloud pubsub topics publish ${google_pubsub_topic.messages.name} --project=${var.project} --message='{\"action\": \"keys\"}'"
    read_rejected = "gcloud pubsub subscriptions pull ${google_pubsub_subscription.rejected.name} --project=${var.project} --limit=10"
    read_rotation = "gcloud pubsub subscriptions pull ${google_pubsub_subscription.rotation.name} --project=${var.project} --limit=10 --format='value(message.attributes.secretId)'"
    log           = "gcloud logging read --project=${var.project} --freshness=1h --order=asc --format='value(jsonPayload)' '${local.log_of_function}'"
    records       = "gcloud storage ls --recursive gs://${google_storage_bucket.records.name}/deliveries/"
  }
}

output "outgoing_address" {
  description = "The address for the partner's allow list; null without a network."
  value       = one(google_compute_address.outgoing[*].address)
}

output "commands" {
  description = "Publish, read, look: commands for operators."
  value       = local.commands
}

output "secrets_to_fill" {
  description = "A command for each secret; give it the file that holds the value."
  value = {
    for name, secret in local.secrets :
    name => "gcloud secrets versions add ${google_secret_manager_secret.this[name].secret_id} --project=${var.project} --data-file=FILE   # ${secret.what}"
  }
}

output "public_keys" {
  description = "Commands that print the public half of our keys from the files they were made in, to hand to the partner. The secrets themselves are not read."
  value = {
    pgp = "gpg --show-keys --with-fingerprint pgp-signing-key.asc; gpg --armor --export data-share@example.com"
    ssh = "ssh-keygen -y -f sftp-key"
  }
}

output "dashboard" {
  description = "Where the dashboard is."
  value       = "https://console.cloud.google.com/monitoring/dashboards?project=${var.project}"
}

output "buckets" {
  description = "Where audit copies and records are; `terraform destroy` leaves both."
  value = {
    archive = "gs://${google_storage_bucket.archive.name}"
    records = "gs://${google_storage_bucket.records.name}"
  }
}

output "accounts" {
  description = "The accounts, for other systems' allow lists."
  value = {
    function = google_service_account.function.email
    trigger  = google_service_account.trigger.email
    build    = google_service_account.build.email
  }
}
