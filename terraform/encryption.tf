# A key of ours for the objects of both buckets, if one is named. Cloud Storage itself must be allowed to use it.

data "google_storage_project_service_account" "this" {
  count = var.kms_key == null ? 0 : 1

  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key_iam_member" "objects" {
  count = var.kms_key == null ? 0 : 1

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this[0].member
}
