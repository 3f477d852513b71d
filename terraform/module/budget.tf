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

  all_updates_rule {
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels))) # the API takes five
  }

  depends_on = [google_project_service.this]
}
