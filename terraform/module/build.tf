# What builds the function's image, and where the image is kept.

resource "google_service_account" "build" {
  project      = var.project
  account_id   = "${var.name}-build"
  display_name = "${var.name}: builds the function"

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:Images hold no data and no secret; a key is used where kms_key names one.
  project       = var.project
  labels        = local.labels
  repository_id = "${var.name}-images"
  description   = "Images of the function, made by Cloud Build."
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = var.kms_key # the function asks for the same key in both places

  cleanup_policies {
    id     = "keep-latest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "${90 * 24 * 3600}s"
    }
  }

  depends_on = [google_project_service.this, time_sleep.key]
}

resource "google_artifact_registry_repository_iam_member" "images_from_build" {
  project    = var.project
  repository = google_artifact_registry_repository.images.name
  location   = google_artifact_registry_repository.images.location
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_project_iam_member" "logs_from_build" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# Cloud Functions copies the source into a bucket of its own, which it makes at the first deployment, and builds from
# there. A bucket that does not exist yet can take no role, so the role stands on the project, for that bucket only.
resource "google_project_iam_member" "staged_source_to_build" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title       = "staged-function-source-only"
    description = "The bucket into which Cloud Functions copies sources before it builds them."
    expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")"
  }
}
