# The function's source: main.py, requirements.txt and pipeline/, and nothing else of the repository.

locals {
  root = "${path.module}/.."

  source_files = sort(concat(
    ["main.py", "requirements.txt"],
    [for file in fileset(local.root, "pipeline/**") : file if length(regexall("(^|/)(__pycache__/|\\.)|\\.pyc$", file)) == 0],
  ))

  # Of names and contents, not of the zip file: the same source has the same hash whatever packed it.
  source_hash = sha256(join("\n", [for file in local.source_files : "${filesha256("${local.root}/${file}")} ${file}"]))
}

data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.module}/build/source-${local.source_hash}.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = toset(local.source_files)
    content {
      filename = source.value
      content  = file("${local.root}/${source.value}")
    }
  }
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Holds the function's public source and no data.
  name                        = "${var.project}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  versioning {
    enabled = true
  }

  # Older sources come from the repository, not from here.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  depends_on = [google_project_service.this]
}

# The name carries the content, so that the function is built again when the content changes and only then.
resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "${local.source_hash}.zip"
  source = data.archive_file.source.output_path
}

resource "google_storage_bucket_iam_member" "source_to_build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}
