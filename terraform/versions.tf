terraform {
  required_version = ">= 1.11, < 2.0"

  # Which bucket holds the state is said at `terraform init`, see README.md: state never lands on somebody's disk.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    # Only for google_project_service_identity, which the google provider does not have.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 8.7"
    }
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}

# The billing project makes calls with a person's credentials count against this project, not against gcloud's own,
# where the budget API is not enabled.
provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
  default_labels        = local.labels
}

provider "google-beta" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
}
