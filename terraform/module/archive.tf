# Audit copies: the CSV and the sealed file of every delivery. The function creates and reads; nobody overwrites.

resource "google_storage_bucket" "archive" {
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs record every write and delete (audit.tf); access logs would be one more bucket to guard.
  #checkov:skip=CKV_GCP_78:The retention policy forbids to overwrite and to delete, so there is nothing to version.
  project                     = var.project
  labels                      = local.labels
  name                        = "${var.project}-${var.name}-archive"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Against overwriting as well as deleting; versions would add nothing.
  retention_policy {
    retention_period = tostring(var.archive.retention_days * 24 * 3600)
    is_locked        = var.archive.lock
  }

  soft_delete_policy {
    retention_duration_seconds = var.archive.soft_delete_days * 24 * 3600
  }

  dynamic "lifecycle_rule" {
    for_each = {
      NEARLINE = var.archive.nearline_days
      COLDLINE = var.archive.coldline_days
      ARCHIVE  = var.archive.archive_days
    }
    content {
      action {
        type          = "SetStorageClass"
        storage_class = lifecycle_rule.key
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.archive.delete_after_days == null ? [] : [var.archive.delete_after_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
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

# Creator and viewer together: no permission to delete, and so none to overwrite.
resource "google_storage_bucket_iam_member" "archive_to_function" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = google_storage_bucket.archive.name
  role   = each.value
  member = google_service_account.function.member
}

resource "google_storage_bucket_iam_member" "archive_to_auditors" {
  for_each = var.people.auditors

  bucket = google_storage_bucket.archive.name
  role   = "roles/storage.objectViewer"
  member = each.value
}
