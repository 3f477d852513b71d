# Who reads a secret, and who changes an object: in the audit log; and an alert when a reader is not the function.

# Reads of secrets, and writes to buckets. Reads of objects are many and add nothing to the proof.
resource "google_project_iam_audit_config" "this" {
  for_each = {
    "secretmanager.googleapis.com" = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "storage.googleapis.com"       = ["DATA_WRITE"]
  }

  project = var.project
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(each.value)
    content {
      log_type = audit_log_config.value
    }
  }
}

resource "google_logging_metric" "secret_read" {
  name        = "${var.name}-secret-read"
  description = "A secret of the function was read, or tried, by somebody else."
  filter = join(" AND ", [
    "resource.type=\"audited_resource\"",
    "protoPayload.serviceName=\"secretmanager.googleapis.com\"",
    "protoPayload.methodName=\"google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion\"",
    "protoPayload.resourceName=~\"/secrets/(${join("|", keys(local.secrets))})/\"",
    "protoPayload.authenticationInfo.principalEmail!=\"${google_service_account.function.email}\"",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "reader"
      value_type  = "STRING"
      description = "Who it was."
    }
  }
  label_extractors = {
    reader = "EXTRACT(protoPayload.authenticationInfo.principalEmail)"
  }
}

resource "google_monitoring_alert_policy" "secret_read" {
  display_name          = "${var.name}: a secret was read by somebody else than the function"
  severity              = "CRITICAL"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "A reader who is not the function"
    condition_threshold {
      filter          = "resource.type=\"audited_resource\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.secret_read.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.reader"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "If it was not you, change the key as the deployment guide says under \"Rotate\". ${local.runbook["secret.read"].text}"

    dynamic "links" {
      for_each = compact([local.runbook["secret.read"].url])
      content {
        display_name = "Runbook: secret read"
        url          = links.value
      }
    }
  }

  depends_on = [time_sleep.metrics]
}
