# One page: how much was shared, how long it took, how old the last certificate is, how long the keys last.

locals {
  promql_settled = "${local.promql_prefix}${replace(google_logging_metric.event["window.settled"].name, "/[^a-zA-Z0-9]/", "_")}{monitored_resource=\"cloud_run_revision\"}"

  # A figure's sums and counts, by its label.
  sum_of   = { for key, metric in google_logging_metric.figure : key => "${local.promql[metric.name]}_sum{monitored_resource=\"cloud_run_revision\"}" }
  count_of = { for key, metric in google_logging_metric.figure : key => "${local.promql[metric.name]}_count{monitored_resource=\"cloud_run_revision\"}" }

  # Log-based metrics know no clock: the age is how long ago the counter last moved.
  certified_age = "time() - max_over_time(timestamp(sum(increase(${local.promql_settled}[5m])) > 0)[1d:5m])"

  failures = join(" or ", [
    for event in ["run.failed", "run.crashed", "message.rejected"] :
    "label_replace(sum by (code) (increase(${local.promql[google_logging_metric.event[event].name]}{monitored_resource=\"cloud_run_revision\"}[1h])), \"event\", \"${event}\", \"\", \"\")"
  ])

  charts = [
    { title = "Rows shared in an hour, by dataset", unit = "1", query = "sum by (dataset) (increase(${local.sum_of["sealed-rows"]}[1h]))" },
    { title = "Bytes sealed in an hour, by dataset", unit = "By", query = "sum by (dataset) (increase(${local.sum_of["sealed-bytes"]}[1h]))" },
    { title = "Seconds to seal a delivery, by dataset", unit = "s", query = "sum by (dataset) (increase(${local.sum_of["seal-seconds"]}[1h])) / sum by (dataset) (increase(${local.count_of["seal-seconds"]}[1h]))" },
    { title = "Seconds to upload a file, by dataset", unit = "s", query = "sum by (dataset) (increase(${local.sum_of["upload-seconds"]}[1h])) / sum by (dataset) (increase(${local.count_of["upload-seconds"]}[1h]))" },
    { title = "Bytes uploaded in an hour, by dataset", unit = "By", query = "sum by (dataset) (increase(${local.sum_of["upload-bytes"]}[1h]))" },
    { title = "Windows certified or empty in an hour, by dataset", unit = "1", query = "sum by (dataset) (increase(${local.promql_settled}[1h]))" },
    { title = "Age of the last certified window", unit = "s", query = local.certified_age },
    { title = "Days left, by key", unit = "d", query = "sum by (key) (increase(${local.sum_of["key-days-left"]}[25h])) / sum by (key) (increase(${local.count_of["key-days-left"]}[25h]))" },
    { title = "Failures in an hour, by event and code", unit = "1", query = local.failures },
  ]

  # The API leaves out what is zero, and what it leaves out would differ from a zero here at every plan.
  positions = [
    for index in range(length(local.charts)) : {
      for name, value in { xPos = 16 * (index % 3), yPos = 14 * floor(index / 3) } : name => value if value != 0
    }
  ]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "${var.name}: data share"
    mosaicLayout = {
      columns = 48
      tiles = concat(
        [
          for index, chart in local.charts : merge(local.positions[index], {
            width  = 16
            height = 14
            widget = {
              title = chart.title
              xyChart = {
                dataSets = [{
                  plotType        = "LINE"
                  timeSeriesQuery = { prometheusQuery = chart.query, unitOverride = chart.unit }
                }]
              }
            }
          })
        ],
        [{
          yPos   = 14 * ceil(length(local.charts) / 3)
          width  = 48
          height = 14
          widget = {
            title = "Incidents"
            incidentList = {
              policyNames = concat(
                [for policy in google_monitoring_alert_policy.event : policy.name],
                [for policy in google_monitoring_alert_policy.audited : policy.name],
                [for policy in google_monitoring_alert_policy.burning : policy.name],
                [
                  google_monitoring_alert_policy.messages_waiting.name,
                  google_monitoring_alert_policy.nothing_certified.name,
                  google_monitoring_alert_policy.rejected_unread.name,
                  google_monitoring_alert_policy.rotation_due.name,
                ],
              )
            }
          }
        }],
      )
    }
  })
}
