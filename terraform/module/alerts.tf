# Who is told, and of what. Conditions are in PromQL without validation of the metric: Monitoring learns of a new
# log-based metric late, and refuses any other condition on it until then.

locals {
  channels = concat([for channel in google_monitoring_notification_channel.email : channel.name], var.alerting.channels)

  # The shortest that there is. Most alerts are about an event, which is over at once: the incident must be closed when
  # the next one comes, or nobody hears of that.
  auto_close = "1800s"

  # Every alert leads to its section of RUNBOOK.md.
  runbook = {
    for event in concat(keys(local.alerts), keys(local.audited), ["nothing.certified", "messages.waiting", "promise.burning"]) : event => {
      url  = var.alerting.runbook_url == null ? null : "${trimsuffix(var.alerting.runbook_url, "/")}/RUNBOOK.md#${replace(event, ".", "-")}"
      text = "What to do: RUNBOOK.md, section ${event}."
    }
  }

  # An incident for each of these: a second window, key or message is never part of the first one's incident.
  incident_labels = "dataset, window, key, message_id"

  # What every certify says again as long as it lasts, by a message of its own: one incident of each dataset, which stays
  # open from hour to hour, or somebody is called every hour for the same row.
  repeated = ["rows.waiting"]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alerting.emails)

  project      = var.project
  display_name = "${var.name}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "event" {
  for_each = local.alerts

  project               = var.project
  display_name          = "${var.name}: ${each.key}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = { event = replace(each.key, ".", "-") }

  conditions {
    display_name = each.value.what

    # A failing message comes back after at most 600 s of backoff and 540 s of work: 20 minutes see every attempt.
    condition_prometheus_query_language {
      query                     = "sum by (${contains(local.repeated, each.key) ? "dataset" : local.incident_labels}) (increase(${local.promql[google_logging_metric.event[each.key].name]}{monitored_resource=\"cloud_run_revision\"}[${contains(local.repeated, each.key) ? 90 : each.value.lasting == 0 ? 10 : 20}m])) > 0"
      duration                  = "${max(60, each.value.lasting)}s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close = local.auto_close
    notification_channel_strategy {
      notification_channel_names = local.channels
      renotify_interval          = "${var.alerting.renotify_hours * 3600}s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.what} ${local.runbook[each.key].text}\n\nIts log lines: `gcloud logging read --project=${var.project} --freshness=1d '${local.log_of_function} AND jsonPayload.event=\"${each.key}\"'`"

    dynamic "links" {
      for_each = compact([local.runbook[each.key].url])
      content {
        display_name = "Runbook: ${each.key}"
        url          = links.value
      }
    }
  }
}

# The one that speaks when everything else is silent: no schedule, no instance, no certificate.
resource "google_monitoring_alert_policy" "nothing_certified" {
  project               = var.project
  display_name          = "${var.name}: nothing was certified for ${var.alerting.certified_within_hours} hours"
  severity              = "CRITICAL"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "No window.certified, window.acknowledged or window.empty for ${var.alerting.certified_within_hours} hours"

    # An hour without one, for the other hours. vector(0) speaks where there never was one, and without labels like the
    # sum before it: one series, whose clock does not begin again when the other takes over.
    condition_prometheus_query_language {
      query                     = "(sum(increase(${local.promql_settled}[1h])) or vector(0)) < 1"
      duration                  = "${(var.alerting.certified_within_hours - 1) * 3600}s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close = local.auto_close
    notification_channel_strategy {
      notification_channel_names = local.channels
      renotify_interval          = "${var.alerting.renotify_hours * 3600}s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "No window was certified, or recorded as empty, for ${var.alerting.certified_within_hours} hours: the schedule may be paused, the function may not start, or every window may fail. ${local.runbook["nothing.certified"].text}\n\nThe last lines of the function: `gcloud logging read --project=${var.project} --freshness=6h --limit=50 '${local.log_of_function}'`"

    dynamic "links" {
      for_each = compact([local.runbook["nothing.certified"].url])
      content {
        display_name = "Runbook: nothing certified"
        url          = links.value
      }
    }
  }
}
