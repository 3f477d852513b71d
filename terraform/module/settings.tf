# The function's environment: every field of Settings in pipeline/settings.py, upper-cased, but for the endpoints of
# emulators. What is empty counts as absent there, so that the function's own default holds: defaults are not repeated.

locals {
  environment = {
    for name, value in {
      GOOGLE_CLOUD_PROJECT      = var.project
      BIGQUERY_PROJECT          = var.warehouse.project
      BIGQUERY_DATASET          = var.warehouse.dataset
      ARCHIVE_BUCKET            = google_storage_bucket.archive.name
      RECORDS_BUCKET            = google_storage_bucket.records.name
      TOPIC                     = google_pubsub_topic.messages.name
      REJECTED_TOPIC            = google_pubsub_topic.rejected.name
      SFTP_HOST                 = var.partner.host
      SFTP_PORT                 = var.partner.port
      SFTP_USER                 = var.partner.user
      SFTP_DIRECTORY            = var.partner.directory
      SFTP_PUBLISH              = var.partner.publish
      SFTP_COLLECTS             = var.partner.collects
      RETURNS_HOST              = try(var.returns.host, null)
      RETURNS_PORT              = try(var.returns.port, null)
      RETURNS_USER              = try(var.returns.user, null)
      RETURNS_DIRECTORY         = try(var.returns.directory, null)
      RETURNS_DELETE            = try(var.returns.delete, null)
      RETURNS_ERROR_PATTERN     = try(var.returns.error_pattern, null)
      PGP_COMPRESSION           = var.pgp.compression
      PGP_SIGN                  = var.pgp.sign
      PGP_REOPEN                = var.pgp.reopen
      TIME_BUDGET_SECONDS       = local.time_budget_seconds
      MAX_PART_ROWS             = var.limits.max_part_rows
      MAX_PART_BYTES            = var.limits.max_part_bytes
      MAX_MESSAGE_AGE_HOURS     = var.limits.max_message_age_hours
      MAX_BYTES_BILLED          = var.limits.max_bytes_billed
      TIME_TRAVEL_HOURS         = var.limits.time_travel_hours
      FIRST_HOUR                = var.limits.first_hour
      LOOK_BACK_HOURS           = var.limits.look_back_hours
      MAX_REPUBLISH             = var.limits.max_republish
      REVISE_LATE_ROWS          = var.limits.revise_late_rows
      CONTRACTS_DIRECTORY       = null # the contracts that are packed with the function
      SIGNING_KEY_SECRET        = google_secret_manager_secret.this["pgp-signing-key"].secret_id
      SIGNING_PASSPHRASE_SECRET = google_secret_manager_secret.this["pgp-signing-passphrase"].secret_id
      PARTNER_KEY_SECRET        = google_secret_manager_secret.this["pgp-partner-key"].secret_id
      SFTP_KEY_SECRET           = google_secret_manager_secret.this["sftp-key"].secret_id
      SFTP_HOST_KEYS_SECRET     = google_secret_manager_secret.this["sftp-host-keys"].secret_id
      RETURNS_KEY_SECRET        = try(google_secret_manager_secret.this["returns-key"].secret_id, null)
      RETURNS_HOST_KEYS_SECRET  = try(google_secret_manager_secret.this["returns-host-keys"].secret_id, null)
    } : name => value == null ? "" : tostring(value)
  }
}
