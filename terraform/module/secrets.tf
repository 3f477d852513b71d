# Secrets as empty shells: values are added by `gcloud secrets versions add`, and are never in a variable or the state.

locals {
  secrets = merge(
    {
      pgp-signing-key        = { ours = true, what = "our private PGP key" }
      pgp-signing-passphrase = { ours = true, what = "the passphrase of our private PGP key" }
      pgp-partner-key        = { ours = false, what = "the partner's public PGP key" }
      sftp-key               = { ours = true, what = "our private SSH key" }
      sftp-host-keys         = { ours = false, what = "the pinned host keys of the partner's server, a line each" }
    },
    var.returns == null ? {} : {
      returns-key       = { ours = true, what = "our private SSH key for the returns server" }
      returns-host-keys = { ours = false, what = "the pinned host keys of the returns server, a line each" }
    },
  )

  secret_ids = { for name in keys(local.secrets) : name => "${local.secret_prefix}${name}" }

  # "" is a prefix too: the one of deployments that began with the first version.
  secret_prefix = var.secrets.prefix == null ? "${var.name}-" : var.secrets.prefix
}

# Secret Manager publishes to the topic when a secret is made, and refuses the secret where it may not yet.
resource "time_sleep" "rotation" {
  create_duration = "60s"

  depends_on = [google_pubsub_topic_iam_member.rotation_from_secret_manager]
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  project             = var.project
  labels              = local.labels
  secret_id           = local.secret_ids[each.key]
  annotations         = { what = each.value.what }
  version_destroy_ttl = "${7 * 24 * 3600}s" # a version destroyed by mistake can be brought back
  deletion_protection = var.secrets.protect

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  # Only of keys that we make. When the partner changes one of theirs, `keys` says so.
  dynamic "rotation" {
    for_each = each.value.ours ? [1] : []
    content {
      rotation_period    = "${var.secrets.rotation_days * 24 * 3600}s"
      next_rotation_time = timeadd(plantimestamp(), "${var.secrets.rotation_days * 24}h")
    }
  }

  dynamic "topics" {
    for_each = each.value.ours ? [google_pubsub_topic.rotation.id] : []
    content {
      name = topics.value
    }
  }

  lifecycle {
    # Secret Manager moves it on at every reminder.
    ignore_changes = [rotation[0].next_rotation_time]
  }

  depends_on = [time_sleep.rotation]
}

resource "google_secret_manager_secret_iam_member" "secret_to_function" {
  for_each = google_secret_manager_secret.this

  project   = var.project
  secret_id = each.value.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function.member
}

# Add, disable and destroy versions; not read them.
resource "google_secret_manager_secret_iam_member" "secret_from_custodians" {
  for_each = {
    for pair in setproduct(keys(local.secrets), var.people.custodians) : join(" ", pair) => { secret = pair[0], member = pair[1] }
  }

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretVersionManager"
  member    = each.value.member
}

# See which versions there are, and in which state; not read one.
resource "google_secret_manager_secret_iam_member" "secret_to_operators" {
  for_each = {
    for pair in setproduct(keys(local.secrets), local.operators) : join(" ", pair) => { secret = pair[0], member = pair[1] }
  }

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.viewer"
  member    = each.value.member
}
