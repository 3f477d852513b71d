# How punctual the deliveries are against what each contract promises (slaProperties), as alerts on the rate at which
# the promise's error budget is used up: multiwindow, multi-burn-rate alerts as in Google's SRE workbook, chapter 5
# (https://sre.google/workbook/alerting-on-slos/), with windows for a service of one event an hour.

locals {
  contract_directory = coalesce(local.contracts, "${local.root}/pipeline/contracts")

  contract_texts = [for file in fileset(local.contract_directory, "*.yaml") : yamldecode(file("${local.contract_directory}/${file}"))]

  # The share of its windows, in parts of 1, that a dataset may deliver late. Contracts without a promise have none.
  error_budgets = {
    for contract in local.contract_texts :
    try([for own in contract.schema[0].customProperties : own.value if own.property == "series"][0], contract.name) =>
    1 - [for promise in contract.slaProperties : promise.value if promise.property == "latencyShare"][0] / 100
    if can([for promise in contract.slaProperties : promise.value if promise.property == "latencyShare"][0])
  }

  # `factor`: so many times faster than a period of 30 days allows. `share` of its budget is gone when `long` was so bad;
  # `short` is over soon after the deliveries are punctual again, and the alert with it. In an hour there is one
  # delivery of a dataset, so the workbook's hour would ring for each single late one: delivery.late does that.
  burn_rates = {
    fast = { factor = 6, long = "1d", short = "2h", severity = "ERROR", share = "a fifth" }
    slow = { factor = 2, long = "7d", short = "12h", severity = "WARNING", share = "half" }
  }

  burning = {
    for pair in setproduct(keys(local.error_budgets), keys(local.burn_rates)) : "${pair[0]}-${pair[1]}" => merge(
      local.burn_rates[pair[1]],
      { dataset = pair[0], limit = local.burn_rates[pair[1]].factor * local.error_budgets[pair[0]] },
    )
  }

  promql_punctuality = "${local.promql_prefix}${replace(google_logging_metric.punctuality.name, "/[^a-zA-Z0-9]/", "_")}"
}

# Each window once: where it is complete at the partner, or where certify finds that its time is over.
resource "google_logging_metric" "punctuality" {
  project     = var.project
  name        = "${var.name}-punctuality"
  description = "Windows of which it is known whether they were at the partner in the time that their contract promises."
  filter      = "${local.log_of_function} AND jsonPayload.event=(\"delivery.completed\" OR \"delivery.overdue\") AND jsonPayload.in_time=(true OR false)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "dataset"
      value_type  = "STRING"
      description = "The dataset."
    }
    labels {
      key         = "in_time"
      value_type  = "STRING"
      description = "true or false."
    }
  }
  label_extractors = {
    dataset = "EXTRACT(jsonPayload.dataset)"
    in_time = "EXTRACT(jsonPayload.in_time)"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "burning" {
  for_each = local.burning

  project               = var.project
  display_name          = "${var.name}: the promise of ${each.value.dataset} is used up too fast (${each.value.long})"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = { event = "promise-burning" }

  conditions {
    display_name = "More than ${format("%.3g", 100 * each.value.limit)} % of the windows of ${each.value.dataset} were late, over ${each.value.long} and over ${each.value.short}"

    # Where nothing was late there is no series for it, so no ratio and no alert.
    condition_prometheus_query_language {
      query = join(" and ", [
        for range in [each.value.long, each.value.short] :
        "(sum(increase(${local.promql_punctuality}{monitored_resource=\"cloud_run_revision\",dataset=\"${each.value.dataset}\",in_time=\"false\"}[${range}])) / sum(increase(${local.promql_punctuality}{monitored_resource=\"cloud_run_revision\",dataset=\"${each.value.dataset}\"}[${range}])) > ${each.value.limit})"
      ])
      duration                  = "0s"
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
    content   = "${each.value.dataset} is late ${each.value.factor} times as often as its contract promises, over ${each.value.long} and still over the last ${each.value.short}: about ${each.value.share} of what a period of 30 days allows. ${local.runbook["promise.burning"].text}\n\nHow punctual it is: `python -m pipeline status --punctuality`"

    dynamic "links" {
      for_each = compact([local.runbook["promise.burning"].url])
      content {
        display_name = "Runbook: promise burning"
        url          = links.value
      }
    }
  }
}
