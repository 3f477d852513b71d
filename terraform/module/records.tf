# Records: plans, proofs and certificates, small JSON objects that are created once and never changed.

resource "google_storage_bucket" "records" {
  #checkov:skip=CKV_GCP_78:The retention policy forbids to overwrite and to delete, so there is nothing to version.
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs record every write and delete (audit.tf); access logs would be one more bucket to guard.
  project                     = var.project
  labels                      = local.labels
  name                        = "${var.project}-${var.name}-records"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Records are kept as long as the files that they prove, and nobody overwrites or deletes one until then.
  retention_policy {
    retention_period = tostring(var.archive.retention_days * 24 * 3600)
    is_locked        = var.archive.lock
  }

  soft_delete_policy {
    retention_duration_seconds = 90 * 24 * 3600
  }

  dynamic "encryption" {
    for_each = compact([var.kms_key])
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.this, time_sleep.key]
}

resource "google_storage_bucket_iam_member" "records_to_function" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = google_storage_bucket.records.name
  role   = each.value
  member = google_service_account.function.member
}

resource "google_storage_bucket_iam_member" "records_to_readers" {
  for_each = setunion(local.operators, var.people.auditors)

  bucket = google_storage_bucket.records.name
  role   = "roles/storage.objectViewer"
  member = each.value
}
