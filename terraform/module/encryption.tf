# A key of yours for objects, messages and the function's image, if one is named. Each service that stores something
# must be allowed to use it, and that takes a while to be known everywhere.

locals {
  # https://cloud.google.com/functions/docs/securing/cmek, https://cloud.google.com/pubsub/docs/cmek
  key_users = var.kms_key == null ? {} : merge(
    { storage = data.google_storage_project_service_account.this[0].member },
    { for service in ["artifactregistry", "cloudfunctions", "pubsub", "run"] : service => local.service_agents[service] },
  )
}

# Asking for the account also makes Cloud Storage create it.
data "google_storage_project_service_account" "this" {
  count = var.kms_key == null ? 0 : 1

  project = var.project
}

resource "google_kms_crypto_key_iam_member" "this" {
  for_each = local.key_users

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  depends_on = [google_project_service_identity.this]
}

resource "time_sleep" "key" {
  count = var.kms_key == null ? 0 : 1

  create_duration = "60s"
  triggers        = local.key_users

  depends_on = [google_kms_crypto_key_iam_member.this]
}
