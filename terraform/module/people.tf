# What people may do in the project as a whole; everything narrower stands beside what it is about.

locals {
  # Whoever responds also operates.
  operators = setunion(var.people.operators, var.people.responders)
}

# The function's log, dashboards and incidents, and the right to have Google's clients count calls against this project.
# The log holds counts and names of files, never rows or keys.
resource "google_project_iam_member" "watching_by_operators" {
  for_each = {
    for pair in setproduct(["roles/logging.viewer", "roles/monitoring.viewer", "roles/serviceusage.serviceUsageConsumer"], local.operators) : join(" ", pair) => { role = pair[0], member = pair[1] }
  }

  project = var.project
  role    = each.value.role
  member  = each.value.member
}

# What auditors type asks Google's clients too; whoever also operates has the right already.
resource "google_project_iam_member" "calls_by_auditors" {
  for_each = setsubtract(var.people.auditors, local.operators)

  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = each.value
}

# Who read a secret or deleted a record stands in the audit log of data access, which roles/logging.viewer does not show.
resource "google_project_iam_member" "audit_log_to_responders" {
  for_each = var.people.responders

  project = var.project
  role    = "roles/logging.privateLogViewer"
  member  = each.value
}
