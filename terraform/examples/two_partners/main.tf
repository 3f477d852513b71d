# Two partners in one project: each has its own name, contracts, secrets, buckets, function and outgoing address.

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

module "amazon" {
  source = "../../module"

  project   = local.project
  region    = local.region
  warehouse = { dataset = "amazon_pspp" }
  partner   = { host = "s-0123456789abcdef0.server.transfer.eu-west-1.amazonaws.com", user = "acme" }
  alerting  = { emails = ["data-oncall@example.com"] }
}

module "second" {
  source = "../../module"

  project   = local.project
  region    = local.region
  name      = "second-partner"
  warehouse = { dataset = "second_partner" }
  contracts = "terraform/examples/two_partners/contracts" # from the root of the repository
  partner   = { host = "sftp.second.example", user = "acme", publish = "rename", collects = true }
  alerting  = { emails = ["data-oncall@example.com"] }

  # The project's audit log is set by the first.
  project_audit_log = false
}

output "operator_env" {
  description = "`terraform output -json operator_env | jq -r .second > .env`"
  value       = { amazon = module.amazon.operator_env, second = module.second.operator_env }
}
