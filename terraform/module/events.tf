# What the function says in its log, as numbers. The pipeline documents its events in pipeline/log.py and pipeline/states.py; every one
# that is marked there to be alerted stands here, and no other (tests compare the two).

locals {
  # `lasting`: for so many seconds without a pause before anybody hears of it, because the function tries again by
  # itself. 0: the first one raises the alert.
  alerts = {
    "run.failed"              = { severity = "ERROR", lasting = 3600, what = "A message has failed again and again for an hour; it is still being retried." }
    "run.crashed"             = { severity = "CRITICAL", lasting = 0, what = "A defect of the function stopped a run." }
    "message.rejected"        = { severity = "ERROR", lasting = 0, what = "A message that can never succeed went to the rejected topic." }
    "source.late"             = { severity = "WARNING", lasting = 3600, what = "The warehouse has been late with a window for an hour; nothing of it was shared." }
    "rows.refused"            = { severity = "ERROR", lasting = 0, what = "Rows break the contract; the delivery was refused and nothing was sent." }
    "rows.waiting"            = { severity = "WARNING", lasting = 0, what = "Rows break the contract and wait in quarantine; the rest of their hours was sent." }
    "archive.damaged"         = { severity = "CRITICAL", lasting = 0, what = "An archived object or a record is not what was written." }
    "partner.untrusted"       = { severity = "CRITICAL", lasting = 0, what = "The partner's server showed a host key that is not pinned; nothing was sent." }
    "upload.too_slow"         = { severity = "ERROR", lasting = 0, what = "The partner takes a file too slowly for any invocation; it is given up." }
    "window.missing"          = { severity = "ERROR", lasting = 0, what = "A window has rows at the source and no delivery; it is republished." }
    "window.late_rows"        = { severity = "WARNING", lasting = 0, what = "Rows arrived after their window was delivered." }
    "window.rows_gone"        = { severity = "WARNING", lasting = 0, what = "Rows that were sent are in no window of the source any more." }
    "window.not_ready"        = { severity = "WARNING", lasting = 0, what = "A window is due to be certified and the warehouse has not finished it." }
    "window.resent"           = { severity = "WARNING", lasting = 0, what = "A file at the partner differed and is sent again." }
    "window.rejected"         = { severity = "ERROR", lasting = 0, what = "The partner returned an error about a delivery; it is not certified." }
    "window.partner_mismatch" = { severity = "ERROR", lasting = 0, what = "The partner holds a file of another size than was sent; it is sent again." }
    "window.mismatch"         = { severity = "CRITICAL", lasting = 0, what = "Archived objects, records or the partner's files differ." }
    "window.republished"      = { severity = "WARNING", lasting = 0, what = "A hole was found and its window was published again." }
    "delivery.late"           = { severity = "WARNING", lasting = 0, what = "A delivery came later than its contract promises." }
    "delivery.overdue"        = { severity = "WARNING", lasting = 0, what = "The time that the contract promises is over, and the delivery is not at the partner." }
    "ledger.failed"           = { severity = "ERROR", lasting = 0, what = "The ledger of records could not be extended; the next certify makes up for it." }
    "returns.error"           = { severity = "ERROR", lasting = 0, what = "The partner returned an error file." }
    "returns.failed"          = { severity = "WARNING", lasting = 0, what = "A returned file could not be collected, opened, read or matched." }
    "key.expiring"            = { severity = "WARNING", lasting = 0, what = "A key expires soon." }
    "contract.ending"         = { severity = "WARNING", lasting = 0, what = "A contract ends soon; then its files are not sent any more." }
    "key.unusable"            = { severity = "CRITICAL", lasting = 0, what = "A key is expired, revoked or cannot do its work." }
    "window.vanished"         = { severity = "ERROR", lasting = 0, what = "A file that was sent is not, or no longer, at the partner; it is sent again, once." }
    "window.unsettled"        = { severity = "WARNING", lasting = 0, what = "An upload broke off, and half of its file may still appear at the partner; the file is sent again." }
    "window.stalled"          = { severity = "ERROR", lasting = 0, what = "A delivery was begun more than an hour ago and is not at the partner; it is published again." }
    "window.unjudged"         = { severity = "ERROR", lasting = 3600, what = "For an hour a window could not be judged; the others were." }
    "hostkey.changed"         = { severity = "CRITICAL", lasting = 0, what = "A pinned host key is not what the server shows." }
  }

  # Counted for the absence alert and the dashboard.
  settled = {
    "window.settled"     = { events = ["window.certified", "window.acknowledged", "window.empty"], what = "A window was certified, by us or by the partner too, or had no rows and is recorded as empty." }
    "delivery.completed" = { events = ["delivery.completed"], what = "Every part of a delivery is at the partner." }
  }

  counted = merge({ for event, alert in local.alerts : event => { events = [event], what = alert.what } }, local.settled)

  # Events that alert are few, so that each may be told from the next; what is counted every hour has its dataset alone.
  event_labels = {
    for event in keys(local.counted) : event => merge(
      { dataset = "The dataset, where the event is about one." },
      !contains(keys(local.alerts), event) ? {} : {
        window     = "The hour, where the event is about one."
        key        = "The key, where the event is about one."
        message_id = "The message that was being carried out."
        code       = "The error's code, where there is one."
      },
    )
  }

  figures = {
    sealed-rows    = { events = ["seal.completed"], field = "rows", label = "dataset", unit = "1" }
    sealed-bytes   = { events = ["seal.completed"], field = "bytes", label = "dataset", unit = "By" }
    seal-seconds   = { events = ["seal.completed"], field = "seconds", label = "dataset", unit = "s" }
    upload-bytes   = { events = ["upload.completed"], field = "bytes", label = "dataset", unit = "By" }
    upload-seconds = { events = ["upload.completed"], field = "seconds", label = "dataset", unit = "s" }
    key-days-left  = { events = ["key.usable", "key.expiring"], field = "days_left", label = "key", unit = "d" }
  }

  log_of_function = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.function_name}\""

  # How PromQL calls a log-based metric: whatever is no letter or digit is an underscore.
  # https://cloud.google.com/monitoring/promql/promql-mapping
  promql_prefix = "logging_googleapis_com:user_"
  promql = {
    for name in concat([for metric in google_logging_metric.event : metric.name], [for metric in google_logging_metric.figure : metric.name], [for metric in google_logging_metric.audited : metric.name]) :
    name => "${local.promql_prefix}${replace(name, "/[^a-zA-Z0-9]/", "_")}"
  }
}

resource "google_logging_metric" "event" {
  for_each = local.counted

  project     = var.project
  name        = "${var.name}-${replace(each.key, "/[._]/", "-")}"
  description = each.value.what
  filter      = "${local.log_of_function} AND jsonPayload.event=(${join(" OR ", formatlist("\"%s\"", each.value.events))})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    dynamic "labels" {
      for_each = local.event_labels[each.key]
      content {
        key         = labels.key
        value_type  = "STRING"
        description = labels.value
      }
    }
  }
  label_extractors = { for label in keys(local.event_labels[each.key]) : label => "EXTRACT(jsonPayload.${label})" }

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "figure" {
  for_each = local.figures

  project         = var.project
  name            = "${var.name}-${each.key}"
  description     = "${each.value.field} of ${join(" and ", each.value.events)}."
  filter          = "${local.log_of_function} AND jsonPayload.event=(${join(" OR ", formatlist("\"%s\"", each.value.events))})"
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit
    labels {
      key        = each.value.label
      value_type = "STRING"
    }
  }
  label_extractors = {
    (each.value.label) = "EXTRACT(jsonPayload.${each.value.label})"
  }

  # From a hundredth to some 10^12, each bucket twice as wide as the one before: seconds, rows and bytes alike. Sums
  # and means do not depend on the buckets.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 48
      growth_factor      = 2
      scale              = 0.01
    }
  }

  depends_on = [google_project_service.this]
}
