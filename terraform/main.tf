# One deployment. variables.tf and variables_keeping.tf are links to the module's own: each variable is declared once.

module "share" {
  source = "./module"

  project           = var.project
  region            = var.region
  name              = var.name
  labels            = var.labels
  warehouse         = var.warehouse
  contracts         = var.contracts
  partner           = var.partner
  returns           = var.returns
  pgp               = var.pgp
  limits            = var.limits
  function          = var.function
  schedules         = var.schedules
  archive           = var.archive
  kms_key           = var.kms_key
  network           = var.network
  secrets           = var.secrets
  people            = var.people
  alerting          = var.alerting
  budget            = var.budget
  project_audit_log = var.project_audit_log
}
