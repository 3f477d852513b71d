# What is kept and for how long, who looks after it, and what it may cost.

variable "archive" {
  description = "Audit copies. For `retention_days` nobody can overwrite or delete an object; `lock` makes that irrevocable, for Google and for you. Objects move to colder classes with age and are deleted after `delete_after_days`, or never."
  type = object({
    retention_days    = optional(number, 365)
    lock              = optional(bool, false)
    nearline_days     = optional(number, 30)
    coldline_days     = optional(number, 90)
    archive_days      = optional(number, 365)
    delete_after_days = optional(number)
    soft_delete_days  = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.archive.retention_days >= 1 && var.archive.retention_days <= 36500
    error_message = "archive.retention_days is between 1 and 36500."
  }
  validation {
    condition     = var.archive.nearline_days < var.archive.coldline_days && var.archive.coldline_days < var.archive.archive_days
    error_message = "Objects grow colder with age: archive.nearline_days < archive.coldline_days < archive.archive_days."
  }
  validation {
    condition     = var.archive.delete_after_days == null ? true : var.archive.delete_after_days >= var.archive.retention_days
    error_message = "archive.delete_after_days is not less than archive.retention_days: what is retained cannot be deleted."
  }
  validation {
    condition     = var.archive.soft_delete_days == 0 || (var.archive.soft_delete_days >= 7 && var.archive.soft_delete_days <= 90)
    error_message = "archive.soft_delete_days is 0 (off) or between 7 and 90."
  }
}

variable "kms_key" {
  description = "Key for the objects of both buckets, as projects/P/locations/L/keyRings/R/cryptoKeys/K, in the same region; null: Google's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is a key's full name: projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "network" {
  description = "A network of its own with one static outgoing address for the partner's allow list, and a firewall that lets out what is needed; null: no network, changing addresses."
  type = object({
    subnet = optional(string, "10.90.0.0/26")
  })
  default = {}

  validation {
    condition     = var.network == null ? true : can(cidrhost(var.network.subnet, 0)) && tonumber(split("/", var.network.subnet)[1]) <= 26
    error_message = "network.subnet is an address range of /26 or larger, the least that direct egress accepts."
  }
}

variable "secrets" {
  description = "`rotation_days`: how often a reminder says that our own keys are to be changed. `protect`: Terraform refuses to delete a secret; turn it off before `terraform destroy`."
  type = object({
    rotation_days = optional(number, 365)
    protect       = optional(bool, true)
  })
  default = {}

  validation {
    condition     = var.secrets.rotation_days >= 1 && var.secrets.rotation_days <= 3650
    error_message = "secrets.rotation_days is between 1 and 3650."
  }
}

variable "people" {
  description = "Members such as group:oncall@example.com. Operators publish messages, read rejected ones and the records; custodians add and retire versions of secrets, and cannot read them; auditors read the archive."
  type = object({
    operators  = optional(set(string), [])
    custodians = optional(set(string), [])
    auditors   = optional(set(string), [])
  })
  default = {}

  validation {
    condition = alltrue([
      for member in setunion(var.people.operators, var.people.custodians, var.people.auditors) :
      can(regex("^(user|group|serviceAccount|principal|principalSet):.+", member))
    ])
    error_message = "Every member says what it is, such as group:oncall@example.com; allUsers and allAuthenticatedUsers are not accepted."
  }
}

variable "alerting" {
  description = "Who is told. `emails` become notification channels, `channels` are names of existing ones (PagerDuty, Slack). `runbook_url` is where RUNBOOK.md can be read, without the file's name. `certified_within_hours` is how long nothing may be certified, or recorded as empty."
  type = object({
    emails                 = list(string)
    channels               = optional(list(string), [])
    runbook_url            = optional(string)
    certified_within_hours = optional(number, 3)
    renotify_hours         = optional(number, 24)
  })

  validation {
    condition     = length(var.alerting.emails) + length(var.alerting.channels) > 0
    error_message = "An alert that reaches nobody is none: name at least one address in alerting.emails, or a channel."
  }
  validation {
    condition     = alltrue([for email in var.alerting.emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "alerting.emails are e-mail addresses."
  }
  validation {
    condition     = var.alerting.certified_within_hours >= 2 && var.alerting.certified_within_hours <= 24
    error_message = "alerting.certified_within_hours is between 2 and 24: certificates come once an hour."
  }
  validation {
    condition     = var.alerting.renotify_hours >= 1 && var.alerting.renotify_hours <= 24
    error_message = "alerting.renotify_hours is between 1 and 24."
  }
}

variable "budget" {
  description = "Alert on the project's cost in a month; null: none. `amount` is in the billing account's currency."
  type = object({
    billing_account = string
    amount          = number
  })
  default = null

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)) && var.budget.amount >= 1
    error_message = "budget.billing_account is an id such as 0123AB-4567CD-89EF01, and budget.amount is at least 1."
  }
}
