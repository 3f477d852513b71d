# The smallest deployment: what has no default, and neither a network nor an archive that outlives a month.

terraform {
  required_version = ">= 1.11, < 2.0"

  backend "gcs" {
    prefix = "data-share" # terraform init -backend-config="bucket=..."
  }
}

locals {
  project = "acme-data-share"
  region  = "europe-west1"
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

  project   = local.project
  region    = local.region
  warehouse = { dataset = "amazon_pspp" }
  partner   = { host = "sftp.partner.example", user = "acme" }
  alerting  = { emails = ["data-oncall@example.com"] }
  network   = null # the partner asks for no address
  archive   = { retention_days = 30 }
}
