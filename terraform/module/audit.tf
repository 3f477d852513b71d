# Who reads a secret, and who changes an object: in the audit log; and alerts where it is not the function.

# Reads of secrets, and writes to buckets. Reads of objects are many and add nothing to the proof. There is one such
# setting for each service in a project, whatever the number of deployments.
resource "google_project_iam_audit_config" "this" {
  for_each = var.project_audit_log ? {
    "secretmanager.googleapis.com" = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "storage.googleapis.com"       = ["DATA_WRITE"]
  } : {}

  project = var.project
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(each.value)
    content {
      log_type = audit_log_config.value
    }
  }
}

locals {
  caller    = "protoPayload.authenticationInfo.principalEmail"
  delegated = "protoPayload.authenticationInfo.serviceAccountDelegationInfo"

  audited = {
    "secret.read" = {
      what     = "A secret of the function was read, or tried, by somebody else, or by somebody who acts as the function."
      resource = "audited_resource"
      subject  = "EXTRACT(protoPayload.resourceName)"
      # A person who impersonates the function's account is named in the chain of delegation, where Google's own agent
      # stands, or nobody, when the function itself reads.
      filter = join(" AND ", [
        "protoPayload.serviceName=\"secretmanager.googleapis.com\"",
        "protoPayload.methodName=\"google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion\"",
        "protoPayload.resourceName=~\"/secrets/(${join("|", values(local.secret_ids))})/\"",
        "(${local.caller}!=\"${google_service_account.function.email}\" OR (${local.delegated}:* AND NOT ${local.delegated}.firstPartyPrincipal.principalEmail=\"${trimprefix(local.service_agents["run"], "serviceAccount:")}\"))",
      ])
      next = "If it was not you, change the key as the deployment guide says under \"Rotate\"."
    }
    "record.deleted" = {
      what     = "A record or an archived object was deleted or altered, or that was tried. The function cannot."
      resource = "gcs_bucket"
      subject  = "EXTRACT(protoPayload.resourceName)"
      filter = join(" AND ", [
        "resource.labels.bucket_name=(\"${google_storage_bucket.archive.name}\" OR \"${google_storage_bucket.records.name}\")",
        "protoPayload.serviceName=\"storage.googleapis.com\"",
        "protoPayload.methodName=(\"storage.objects.delete\" OR \"storage.objects.update\" OR \"storage.objects.patch\")",
      ])
      next = "What was deleted can be had back for a while: `gcloud storage restore`."
    }
  }
}

resource "google_logging_metric" "audited" {
  for_each = local.audited

  project     = var.project
  name        = "${var.name}-${replace(each.key, ".", "-")}"
  description = each.value.what
  filter      = "resource.type=\"${each.value.resource}\" AND ${each.value.filter}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "reader"
      value_type  = "STRING"
      description = "Who it was."
    }
    labels {
      key         = "subject"
      value_type  = "STRING"
      description = "The secret's version, or the object."
    }
  }
  label_extractors = {
    reader  = "EXTRACT(${local.caller})"
    subject = each.value.subject
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "audited" {
  for_each = local.audited

  project               = var.project
  display_name          = "${var.name}: ${each.key}"
  severity              = "CRITICAL"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.what
    condition_prometheus_query_language {
      query                     = "sum by (reader, subject) (increase(${local.promql[google_logging_metric.audited[each.key].name]}{monitored_resource=\"${each.value.resource}\"}[10m])) > 0"
      duration                  = "60s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close = local.auto_close
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.what} ${each.value.next} ${local.runbook[each.key].text}"

    dynamic "links" {
      for_each = compact([local.runbook[each.key].url])
      content {
        display_name = "Runbook: ${each.key}"
        url          = links.value
      }
    }
  }
}
