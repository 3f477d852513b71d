# Who is told, and of what.

locals {
  channels = concat([for channel in google_monitoring_notification_channel.email : channel.name], var.alerting.channels)

  # Every alert leads to its section of RUNBOOK.md.
  runbook = {
    for event in concat(keys(local.alerts), ["nothing.certified", "secret.read"]) : event => {
      url  = var.alerting.runbook_url == null ? null : "${trimsuffix(var.alerting.runbook_url, "/")}/RUNBOOK.md#${replace(event, ".", "-")}"
      text = "What to do: RUNBOOK.md, section ${event}."
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alerting.emails)

  display_name = "${var.name}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.this]
}

# Monitoring refuses a policy on a metric that it does not know yet, and takes a while to know one.
resource "time_sleep" "metrics" {
  create_duration = "60s"

  # Again, whenever there are others.
  triggers = {
    metrics = join(" ", concat(keys(google_logging_metric.event), keys(google_logging_metric.figure), [google_logging_metric.secret_read.name]))
  }
}

resource "google_monitoring_alert_policy" "event" {
  for_each = local.alerts

  display_name          = "${var.name}: ${each.key}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = { event = replace(each.key, ".", "-") }

  conditions {
    display_name = each.value.what
    condition_threshold {
      filter          = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.event[each.key].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "${each.value.lasting}s"

      # Where it has to last, silence means that it is over.
      evaluation_missing_data = each.value.lasting == 0 ? null : "EVALUATION_MISSING_DATA_INACTIVE"

      # A failing message comes back after at most 600 s of backoff and 540 s of work: 20 minutes see every attempt.
      aggregations {
        alignment_period     = each.value.lasting == 0 ? "300s" : "1200s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = each.value.lasting == 0 ? ["metric.label.dataset", "metric.label.code"] : ["metric.label.dataset"]
      }
    }
  }

  alert_strategy {
    auto_close = "${24 * 3600}s"
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

  depends_on = [time_sleep.metrics]
}

# The one that speaks when everything else is silent: no schedule, no instance, no certificate.
resource "google_monitoring_alert_policy" "nothing_certified" {
  display_name          = "${var.name}: nothing was certified for ${var.alerting.certified_within_hours} hours"
  severity              = "CRITICAL"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "No window.certified and no window.empty for ${var.alerting.certified_within_hours} hours"

    # An hour without one, for the other hours; absent_over_time also speaks where there never was one.
    condition_prometheus_query_language {
      query                     = "absent_over_time(${local.promql_settled}[1h]) or sum(increase(${local.promql_settled}[1h])) < 1"
      duration                  = "${(var.alerting.certified_within_hours - 1) * 3600}s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close = "${24 * 3600}s"
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

  depends_on = [time_sleep.metrics]
}
