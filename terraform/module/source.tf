# The function's source: main.py, requirements.txt and pipeline/, and nothing else of the repository.

locals {
  root = "${path.module}/../.."

  # The contracts of this deployment take the place of those in pipeline/contracts/.
  contracts = var.contracts == null ? null : startswith(var.contracts, "/") ? var.contracts : "${local.root}/${var.contracts}"

  source_files = merge(
    { for file in ["main.py", "requirements.txt"] : file => "${local.root}/${file}" },
    {
      for file in fileset(local.root, "pipeline/**") : file => "${local.root}/${file}"
      if length(regexall("(^|/)(__pycache__/|\\.)|\\.pyc$", file)) == 0
      && !(var.contracts != null && can(regex("^pipeline/contracts/[^/]+\\.yaml$", file)))
    },
    var.contracts == null ? {} : {
      for file in setunion(fileset(local.contracts, "*.yaml"), fileset(local.contracts, "returns/*.yaml")) : "pipeline/contracts/${file}" => "${local.contracts}/${file}"
    },
  )

  # Of names and contents, not of the zip file: the same source has the same hash whatever packed it.
  source_hash = sha256(join("\n", [for name, file in local.source_files : "${filesha256(file)} ${name}"]))
}

data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.module}/build/${var.name}-${local.source_hash}.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = local.source_files
    content {
      filename = source.key
      content  = file(source.value)
    }
  }
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Holds the function's public source and no data.
  project                     = var.project
  labels                      = local.labels
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
