# What a person needs next, most of it as commands to paste.

locals {
  publish = "gcloud pubsub topics publish ${google_pubsub_topic.messages.name} --project=${var.project}"

  commands = {
    deliver       = "${local.publish} --message='{}'"
    republish     = "${local.publish} --message='{\"window\": {\"start\": \"2026-11-23T13:00:00Z\", \"end\": \"2026-11-23T14:00:00Z\"}}'"
    certify       = "${local.publish} --message='{\"action\": \"certify\"}'"
    keys          = "${local.publish} --message='{\"action\": \"keys\"}'"
    read_rejected = "gcloud pubsub subscriptions pull ${google_pubsub_subscription.rejected.name} --project=${var.project} --limit=10"
    read_rotation = "gcloud pubsub subscriptions pull ${google_pubsub_subscription.rotation.name} --project=${var.project} --limit=10 --format='value(message.attributes.secretId)'"
    log           = "gcloud logging read --project=${var.project} --freshness=1h --order=asc --format='value(jsonPayload)' '${local.log_of_function}'"
    records       = "gcloud storage ls --recursive gs://${google_storage_bucket.records.name}/deliveries/"
    impersonate   = "gcloud auth application-default login --impersonate-service-account=${google_service_account.function.email}"
  }
}

locals {
  # Commands that are typed at the root of the repository find other contracts there; in the function they are packed.
  laptop = merge(local.environment, { CONTRACTS_DIRECTORY = var.contracts == null ? "" : var.contracts })
}

output "outgoing_address" {
  description = "The address for the partner's allow list; null without a network."
  value       = one(google_compute_address.outgoing[*].address)
}

output "commands" {
  description = "Publish, read, look: commands for operators, a line each with its name before it. For `-raw`."
  value       = join("", [for name, command in local.commands : "# ${name}\n${command}\n"])
}

output "secrets_to_fill" {
  description = "A command for each secret; give it the file that holds the value. For `-raw`."
  value = join("", [
    for name, secret in local.secrets :
    "# ${secret.what}\ngcloud secrets versions add ${google_secret_manager_secret.this[name].secret_id} --project=${var.project} --data-file=FILE\n"
  ])
}

output "operator_env" {
  description = "The settings of the function as a file, for `--env-file`: names and addresses, no secret. For `-raw`."
  value       = join("", [for name, value in local.laptop : "${name}='${replace(replace(value, "\\", "\\\\"), "'", "\\'")}'\n" if value != ""])
}

output "warehouse" {
  description = "Where dbt fills the tables: its variables GOOGLE_CLOUD_PROJECT, BIGQUERY_DATASET and BIGQUERY_LOCATION."
  value = {
    GOOGLE_CLOUD_PROJECT = coalesce(var.warehouse.project, var.project)
    BIGQUERY_DATASET     = var.warehouse.dataset
    BIGQUERY_LOCATION    = coalesce(var.warehouse.location, var.region)
  }
}

output "dashboard" {
  description = "Where the dashboard is."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.this.id), -1)}?project=${var.project}"
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
