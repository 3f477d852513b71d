# Tells when the month's cost passes what was expected. It stops nothing.

resource "google_billing_budget" "this" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "${var.name}: monthly cost"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      units = tostring(floor(var.budget.amount))
    }
  }

  dynamic "threshold_rules" {
    for_each = toset(["0.5", "0.9", "1.0"])
    content {
      threshold_percent = tonumber(threshold_rules.value)
    }
  }

  # The API takes five channels, of the type email alone. Whoever administers the billing account hears of it as well.
  dynamic "all_updates_rule" {
    for_each = length(var.alerting.emails) == 0 ? [] : [slice(sort(var.alerting.emails), 0, min(5, length(var.alerting.emails)))]
    content {
      monitoring_notification_channels = [for email in all_updates_rule.value : google_monitoring_notification_channel.email[email].name]
    }
  }

  depends_on = [google_project_service.this]
}
