# The function, the account it runs as, and the account that may call it.

locals {
  function_name   = "${var.name}-share"
  timeout_seconds = 540

  # The platform's timeout does not stop running code, and it counts from the request's arrival: the function stops
  # itself so much earlier, which leaves room for the start of a container and for cleaning up.
  time_budget_seconds = local.timeout_seconds - 90
}

resource "google_service_account" "function" {
  project      = var.project
  account_id   = "${var.name}-function"
  display_name = "${var.name}: the function"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "trigger" {
  project      = var.project
  account_id   = "${var.name}-trigger"
  display_name = "${var.name}: calls the function with each message"

  depends_on = [google_project_service.this]
}

# Pub/Sub signs its calls as this account. Google grants that on the project when Pub/Sub is enabled, but not in every
# project, and later than a first message may come.
resource "google_service_account_iam_member" "trigger_from_pubsub" {
  service_account_id = google_service_account.trigger.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.service_agents["pubsub"]

  depends_on = [google_project_service_identity.this]
}

# Whoever acts as the function reads its secrets, its data and the archive, and is seen in the audit log (audit.tf).
resource "google_service_account_iam_member" "function_to_responders" {
  for_each = var.people.responders

  service_account_id = google_service_account.function.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

# Roles take some seconds to reach every server; a build that starts earlier fails.
resource "time_sleep" "roles" {
  create_duration = "60s"

  depends_on = [
    google_artifact_registry_repository_iam_member.images_from_build,
    google_project_iam_member.logs_from_build,
    google_project_iam_member.staged_source_to_build,
    google_project_service_identity.this,
    google_service_account_iam_member.trigger_from_pubsub,
    google_storage_bucket_iam_member.source_to_build,
  ]
}

# It has no trigger of its own: topic.tf's subscription calls it.
resource "google_cloudfunctions2_function" "share" {
  project      = var.project
  labels       = local.labels
  name         = local.function_name
  location     = var.region
  description  = "Shares the hour's changes with the partner, signed and encrypted, and proves that they arrived."
  kms_key_name = var.kms_key

  build_config {
    runtime           = "python313"
    entry_point       = "handle"
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket     = google_storage_bucket.source.name
        object     = google_storage_bucket_object.source.name
        generation = google_storage_bucket_object.source.generation
      }
    }

    # Patches of the runtime image, which brings gpg, arrive between deployments.
    automatic_update_policy {}
  }

  service_config {
    service_account_email            = google_service_account.function.email
    timeout_seconds                  = local.timeout_seconds
    available_memory                 = var.function.memory
    available_cpu                    = var.function.cpu
    min_instance_count               = 0
    max_instance_count               = var.function.max_instances
    max_instance_request_concurrency = 1
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision   = true
    environment_variables            = local.environment

    # All traffic, so that the partner sees the one address; Google's APIs are reached privately from the subnet.
    direct_vpc_egress = var.network == null ? null : "VPC_EGRESS_ALL_TRAFFIC"
    dynamic "direct_vpc_network_interface" {
      for_each = google_compute_subnetwork.this
      content {
        network    = google_compute_network.this[0].id
        subnetwork = direct_vpc_network_interface.value.id
      }
    }
  }

  depends_on = [time_sleep.roles, time_sleep.key]
}

# The binding belongs to the service behind the function, and goes with it: a function that is replaced gets a new one.
resource "google_cloud_run_v2_service_iam_member" "function_from_trigger" {
  project  = var.project
  name     = google_cloudfunctions2_function.share.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.share.id]
  }
}
