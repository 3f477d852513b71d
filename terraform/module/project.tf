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
      "iam.googleapis.com",
      "iamcredentials.googleapis.com",
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
    for service, domain in {
      artifactregistry = "gcp-sa-artifactregistry"
      cloudfunctions   = "gcf-admin-robot"
      cloudscheduler   = "gcp-sa-cloudscheduler"
      pubsub           = "gcp-sa-pubsub"
      run              = "serverless-robot-prod"
      secretmanager    = "gcp-sa-secretmanager"
    } : service => "serviceAccount:service-${data.google_project.this.number}@${domain}.iam.gserviceaccount.com"
  }
}

# No depends_on here, or on any other data source: Terraform would read it at every apply that changes a service, and
# everything that is named after the project's number would be unknown in that plan.
data "google_project" "this" {
  project_id = var.project
}

# Left enabled at destroy: other systems of the project may use them.
resource "google_project_service" "this" {
  for_each = local.services

  project            = var.project
  service            = each.value
  disable_on_destroy = false
}

# Google makes these accounts when they are first needed; the roles below need them earlier.
resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = local.service_agents

  project = var.project
  service = google_project_service.this["${each.key}.googleapis.com"].service
}
