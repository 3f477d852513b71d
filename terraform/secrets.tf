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
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  secret_id           = each.key
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

  depends_on = [google_pubsub_topic_iam_member.rotation_from_secret_manager]
}

resource "google_secret_manager_secret_iam_member" "secret_to_function" {
  for_each = google_secret_manager_secret.this

  secret_id = each.value.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function.member
}

# Add, disable and destroy versions; not read them.
resource "google_secret_manager_secret_iam_member" "secret_from_custodians" {
  for_each = {
    for pair in setproduct(keys(local.secrets), var.people.custodians) : join(" ", pair) => { secret = pair[0], member = pair[1] }
  }

  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretVersionManager"
  member    = each.value.member
}
