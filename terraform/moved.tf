# From version 0.1, whose resources stood in this folder, to the module. Without these, an upgrade would destroy secrets,
# topics and the outgoing address and make others. README.md, "Upgrade", has the rest.

moved {
  from = google_artifact_registry_repository.images
  to   = module.share.google_artifact_registry_repository.images
}

moved {
  from = google_artifact_registry_repository_iam_member.images_from_build
  to   = module.share.google_artifact_registry_repository_iam_member.images_from_build
}

moved {
  from = google_bigquery_dataset.warehouse
  to   = module.share.google_bigquery_dataset.warehouse
}

moved {
  from = google_bigquery_dataset_iam_member.warehouse_to_function
  to   = module.share.google_bigquery_dataset_iam_member.warehouse_to_function
}

moved {
  from = google_billing_budget.this
  to   = module.share.google_billing_budget.this
}

moved {
  from = google_cloud_run_v2_service_iam_member.function_from_trigger
  to   = module.share.google_cloud_run_v2_service_iam_member.function_from_trigger
}

moved {
  from = google_cloud_scheduler_job.this
  to   = module.share.google_cloud_scheduler_job.this
}

moved {
  from = google_cloudfunctions2_function.share
  to   = module.share.google_cloudfunctions2_function.share
}

moved {
  from = google_compute_address.outgoing
  to   = module.share.google_compute_address.outgoing
}

moved {
  from = google_compute_firewall.to_google
  to   = module.share.google_compute_firewall.to_google
}

moved {
  from = google_compute_firewall.to_nowhere_else
  to   = module.share.google_compute_firewall.to_nowhere_else
}

moved {
  from = google_compute_firewall.to_partner
  to   = module.share.google_compute_firewall.to_partner
}

moved {
  from = google_compute_network.this
  to   = module.share.google_compute_network.this
}

moved {
  from = google_compute_router.this
  to   = module.share.google_compute_router.this
}

moved {
  from = google_compute_router_nat.this
  to   = module.share.google_compute_router_nat.this
}

moved {
  from = google_compute_subnetwork.this
  to   = module.share.google_compute_subnetwork.this
}

moved {
  from = google_dns_managed_zone.google_apis
  to   = module.share.google_dns_managed_zone.google_apis
}

moved {
  from = google_dns_record_set.google_apis
  to   = module.share.google_dns_record_set.google_apis
}

moved {
  from = google_logging_metric.event
  to   = module.share.google_logging_metric.event
}

moved {
  from = google_logging_metric.figure
  to   = module.share.google_logging_metric.figure
}

moved {
  from = google_monitoring_alert_policy.event
  to   = module.share.google_monitoring_alert_policy.event
}

moved {
  from = google_monitoring_alert_policy.nothing_certified
  to   = module.share.google_monitoring_alert_policy.nothing_certified
}

moved {
  from = google_monitoring_alert_policy.rejected_unread
  to   = module.share.google_monitoring_alert_policy.rejected_unread
}

moved {
  from = google_monitoring_alert_policy.rotation_due
  to   = module.share.google_monitoring_alert_policy.rotation_due
}

moved {
  from = google_monitoring_dashboard.this
  to   = module.share.google_monitoring_dashboard.this
}

moved {
  from = google_monitoring_notification_channel.email
  to   = module.share.google_monitoring_notification_channel.email
}

moved {
  from = google_project_iam_audit_config.this
  to   = module.share.google_project_iam_audit_config.this
}

moved {
  from = google_project_iam_member.logs_from_build
  to   = module.share.google_project_iam_member.logs_from_build
}

moved {
  from = google_project_iam_member.queries_by_function
  to   = module.share.google_project_iam_member.queries_by_function
}

moved {
  from = google_project_iam_member.staged_source_to_build
  to   = module.share.google_project_iam_member.staged_source_to_build
}

moved {
  from = google_project_service.this
  to   = module.share.google_project_service.this
}

moved {
  from = google_project_service_identity.this
  to   = module.share.google_project_service_identity.this
}

moved {
  from = google_pubsub_subscription.rejected
  to   = module.share.google_pubsub_subscription.rejected
}

moved {
  from = google_pubsub_subscription.rotation
  to   = module.share.google_pubsub_subscription.rotation
}

moved {
  from = google_pubsub_subscription_iam_member.rejected_to_operators
  to   = module.share.google_pubsub_subscription_iam_member.rejected_to_operators
}

moved {
  from = google_pubsub_subscription_iam_member.rotation_to_custodians
  to   = module.share.google_pubsub_subscription_iam_member.rotation_to_custodians
}

moved {
  from = google_pubsub_topic.messages
  to   = module.share.google_pubsub_topic.messages
}

moved {
  from = google_pubsub_topic.rejected
  to   = module.share.google_pubsub_topic.rejected
}

moved {
  from = google_pubsub_topic.rotation
  to   = module.share.google_pubsub_topic.rotation
}

moved {
  from = google_pubsub_topic_iam_member.messages_from_function
  to   = module.share.google_pubsub_topic_iam_member.messages_from_function
}

moved {
  from = google_pubsub_topic_iam_member.messages_from_operators
  to   = module.share.google_pubsub_topic_iam_member.messages_from_operators
}

moved {
  from = google_pubsub_topic_iam_member.messages_from_scheduler
  to   = module.share.google_pubsub_topic_iam_member.messages_from_scheduler
}

moved {
  from = google_pubsub_topic_iam_member.rejected_from_function
  to   = module.share.google_pubsub_topic_iam_member.rejected_from_function
}

moved {
  from = google_pubsub_topic_iam_member.rotation_from_secret_manager
  to   = module.share.google_pubsub_topic_iam_member.rotation_from_secret_manager
}

moved {
  from = google_secret_manager_secret.this
  to   = module.share.google_secret_manager_secret.this
}

moved {
  from = google_secret_manager_secret_iam_member.secret_from_custodians
  to   = module.share.google_secret_manager_secret_iam_member.secret_from_custodians
}

moved {
  from = google_secret_manager_secret_iam_member.secret_to_function
  to   = module.share.google_secret_manager_secret_iam_member.secret_to_function
}

moved {
  from = google_service_account.build
  to   = module.share.google_service_account.build
}

moved {
  from = google_service_account.function
  to   = module.share.google_service_account.function
}

moved {
  from = google_service_account.trigger
  to   = module.share.google_service_account.trigger
}

moved {
  from = google_storage_bucket.archive
  to   = module.share.google_storage_bucket.archive
}

moved {
  from = google_storage_bucket.records
  to   = module.share.google_storage_bucket.records
}

moved {
  from = google_storage_bucket.source
  to   = module.share.google_storage_bucket.source
}

moved {
  from = google_storage_bucket_iam_member.archive_to_auditors
  to   = module.share.google_storage_bucket_iam_member.archive_to_auditors
}

moved {
  from = google_storage_bucket_iam_member.archive_to_function
  to   = module.share.google_storage_bucket_iam_member.archive_to_function
}

moved {
  from = google_storage_bucket_iam_member.records_to_function
  to   = module.share.google_storage_bucket_iam_member.records_to_function
}

moved {
  from = google_storage_bucket_iam_member.records_to_readers
  to   = module.share.google_storage_bucket_iam_member.records_to_readers
}

moved {
  from = google_storage_bucket_iam_member.source_to_build
  to   = module.share.google_storage_bucket_iam_member.source_to_build
}

moved {
  from = google_storage_bucket_object.source
  to   = module.share.google_storage_bucket_object.source
}

moved {
  from = time_sleep.roles
  to   = module.share.time_sleep.roles
}

moved {
  from = google_kms_crypto_key_iam_member.objects[0]
  to   = module.share.google_kms_crypto_key_iam_member.this["storage"]
}

moved {
  from = google_logging_metric.secret_read
  to   = module.share.google_logging_metric.audited["secret.read"]
}

moved {
  from = google_monitoring_alert_policy.secret_read
  to   = module.share.google_monitoring_alert_policy.audited["secret.read"]
}
