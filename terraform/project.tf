# The project itself: what is enabled in it, and the Google-managed accounts that act in it.

locals {
  labels = merge({ system = var.name }, var.labels)

  services = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "bigquerystorage.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "eventarc.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.network == null ? [] : ["compute.googleapis.com", "dns.googleapis.com"],
    var.kms_key == null ? [] : ["cloudkms.googleapis.com"],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
  ))

  # Named by the rule of https://cloud.google.com/iam/docs/service-agents.
  service_agents = {
    for service in ["cloudscheduler", "eventarc", "pubsub", "secretmanager"] :
    service => "serviceAccount:service-${data.google_project.this.number}@gcp-sa-${service}.iam.gserviceaccount.com"
  }
}

data "google_project" "this" {
  project_id = var.project
}

# Left enabled at destroy: other systems of the project may use them.
resource "google_project_service" "this" {
  for_each = local.services

  service            = each.value
  disable_on_destroy = false
}

# Google makes these accounts when they are first needed; the roles below need them earlier.
resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = local.service_agents

  service = google_project_service.this["${each.key}.googleapis.com"].service
}
