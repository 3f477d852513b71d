# What the API would answer, where the configuration goes on with it.

mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}

mock_data "google_storage_project_service_account" {
  defaults = {
    member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

mock_resource "google_pubsub_topic" {
  defaults = {
    id = "projects/acme-data-share/topics/mocked"
  }
}

mock_resource "google_pubsub_subscription" {
  defaults = {
    id = "projects/acme-data-share/subscriptions/mocked"
  }
}

mock_resource "google_monitoring_notification_channel" {
  defaults = {
    name = "projects/acme-data-share/notificationChannels/1"
  }
}

mock_resource "google_compute_address" {
  defaults = {
    address = "203.0.113.7"
  }
}

mock_resource "google_service_account" {
  defaults = {
    id     = "projects/acme-data-share/serviceAccounts/mocked@acme-data-share.iam.gserviceaccount.com"
    name   = "projects/acme-data-share/serviceAccounts/mocked@acme-data-share.iam.gserviceaccount.com"
    email  = "mocked@acme-data-share.iam.gserviceaccount.com"
    member = "serviceAccount:mocked@acme-data-share.iam.gserviceaccount.com"
  }
}
