# The root: providers, the backend, and one deployment. Everything that is made is in module/.

terraform {
  required_version = ">= 1.11, < 2.0"

  # Which bucket holds the state is said at `terraform init`, see README.md: state never lands on somebody's disk.
  backend "gcs" {}
}

# The billing project makes calls with a person's credentials count against this project, not against gcloud's own,
# where the budget API is not enabled.
provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
}

provider "google-beta" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
}
