# Everything that can be asked for.

terraform {
  required_version = ">= 1.11, < 2.0"

  backend "gcs" {
    prefix = "data-share" # terraform init -backend-config="bucket=..."
  }
}

locals {
  project = "acme-data-share"
  region  = "europe-west4"
}

provider "google" {
  project               = local.project
  region                = local.region
  billing_project       = local.project
  user_project_override = true
}

provider "google-beta" {
  project               = local.project
  region                = local.region
  billing_project       = local.project
  user_project_override = true
}

module "share" {
  source = "../../module"

  project = local.project
  region  = local.region
  name    = "share-two"
  labels  = { team = "data" }

  warehouse = { dataset = "amazon_pspp", project = "acme-warehouse", location = "EU" }
  partner   = { host = "sftp.partner.example", user = "acme", port = 2222, directory = "in", publish = "rename", collects = true, ranges = ["203.0.113.0/24"] }
  returns   = { host = "returns.partner.example", user = "acme", port = 2223, directory = "out", delete = true, error_pattern = "(?i)reject" }

  pgp = { compression = "zlib:1", sign = false, reopen = true }
  limits = {
    max_part_rows         = 1000000
    max_part_bytes        = 1000000000
    max_message_age_hours = 24
    max_bytes_billed      = 50000000000
    time_travel_hours     = 24
    look_back_hours       = 24
    max_republish         = 5
    revise_late_rows      = false
  }
  function  = { memory = "4Gi", cpu = "2", max_instances = 3 }
  schedules = { deliver = "10 * * * *", certify = "40 * * * *", collect = "55 * * * *", keys = "0 5 * * *" }

  archive = { retention_days = 1825, lock = true, delete_after_days = 2000 }
  kms_key = "projects/acme-keys/locations/europe-west4/keyRings/share/cryptoKeys/objects"
  network = { subnet = "10.91.0.0/24" }
  secrets = { rotation_days = 180 }

  people = {
    operators  = ["group:oncall@example.com"]
    responders = ["group:responders@example.com"]
    custodians = ["user:kim@example.com"]
    auditors   = ["group:audit@example.com"]
  }
  alerting = {
    emails      = ["data-oncall@example.com"]
    channels    = ["projects/acme-data-share/notificationChannels/7"]
    runbook_url = "https://git.example/share/blob/main"
  }
  budget = { billing_account = "0123AB-4567CD-89EF01", amount = 150 }
}

output "operator_env" {
  description = "`terraform output -raw operator_env > .env`"
  value       = module.share.operator_env
}
