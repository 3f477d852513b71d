# The dataset belongs to dbt and analytics. The function reads it, and this one only.

resource "google_bigquery_dataset" "warehouse" {
  #checkov:skip=CKV_GCP_81:Made only where none exists yet; its owner chooses the key of the tables.
  count = var.warehouse.create ? 1 : 0

  project               = var.project
  labels                = local.labels
  dataset_id            = var.warehouse.dataset
  location              = coalesce(var.warehouse.location, var.region)
  description           = "Datasets shared with the partner, and their watermark; filled by dbt."
  max_time_travel_hours = "168"

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.this]
}

resource "google_bigquery_dataset_iam_member" "warehouse_to_function" {
  project    = coalesce(var.warehouse.project, var.project)
  dataset_id = try(google_bigquery_dataset.warehouse[0].dataset_id, var.warehouse.dataset)
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function.member
}

# Queries and read sessions are objects of a project and have no narrower place. Neither role shows any data: what a
# query may read is decided by the role on the dataset.
resource "google_project_iam_member" "queries_by_function" {
  for_each = toset(["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"])

  project = var.project
  role    = each.value
  member  = google_service_account.function.member
}
