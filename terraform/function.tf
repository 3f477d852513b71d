# The function, the account it runs as, and the account that may call it.

locals {
  function_name   = "${var.name}-share"
  timeout_seconds = 540 # the most that an event-driven function may take

  # The function stops itself this much earlier: the platform's timeout does not stop running code.
  time_budget_seconds = local.timeout_seconds - 30
}

resource "google_service_account" "function" {
  account_id   = "${var.name}-function"
  display_name = "${var.name}: the function"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "trigger" {
  account_id   = "${var.name}-trigger"
  display_name = "${var.name}: hands messages to the function"

  depends_on = [google_project_service.this]
}

# Roles take some seconds to reach every server; a build that starts earlier fails.
resource "time_sleep" "roles" {
  create_duration = "60s"

  depends_on = [
    google_artifact_registry_repository_iam_member.images_from_build,
    google_project_iam_member.events_to_trigger,
    google_project_iam_member.logs_from_build,
    google_project_iam_member.staged_source_to_build,
    google_project_service_identity.this,
    google_storage_bucket_iam_member.source_to_build,
  ]
}

resource "google_cloudfunctions2_function" "share" {
  name        = local.function_name
  location    = var.region
  description = "Shares the hour's changes with the partner, signed and encrypted, and proves that they arrived."

  build_config {
    runtime           = "python313"
    entry_point       = "handle"
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
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

  event_trigger {
    trigger_region        = var.region
    event_type            = "google.cloud.pubsub.topic.v1.messagePublished"
    pubsub_topic          = google_pubsub_topic.messages.id
    retry_policy          = "RETRY_POLICY_RETRY"
    service_account_email = google_service_account.trigger.email
  }

  depends_on = [time_sleep.roles]
}

resource "google_cloud_run_v2_service_iam_member" "function_from_trigger" {
  name     = google_cloudfunctions2_function.share.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member
}

# Has one permission, to receive events, and no narrower place than the project.
resource "google_project_iam_member" "events_to_trigger" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.trigger.member
}
