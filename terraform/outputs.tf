# The deployment's outputs, for `terraform output`; see module/outputs.tf.

output "outgoing_address" {
  description = "The address for the partner's allow list; null without a network."
  value       = module.share.outgoing_address
}

output "commands" {
  description = "Publish, read, look: commands for operators, a line each with its name before it. For `-raw`."
  value       = module.share.commands
}

output "secrets_to_fill" {
  description = "A command for each secret; give it the file that holds the value. For `-raw`."
  value       = module.share.secrets_to_fill
}

output "operator_env" {
  description = "The settings of the function as a file, for `--env-file`: names and addresses, no secret. For `-raw`."
  value       = module.share.operator_env
}

output "warehouse" {
  description = "Where dbt fills the tables: its variables GOOGLE_CLOUD_PROJECT, BIGQUERY_DATASET and BIGQUERY_LOCATION."
  value       = module.share.warehouse
}

output "dashboard" {
  description = "Where the dashboard is."
  value       = module.share.dashboard
}

output "buckets" {
  description = "Where audit copies and records are; `terraform destroy` leaves both."
  value       = module.share.buckets
}

output "accounts" {
  description = "The accounts, for other systems' allow lists."
  value       = module.share.accounts
}
