# What is kept and for how long, who looks after it, and what it may cost.

variable "archive" {
  description = "Audit copies: the CSV and the sealed file of every delivery."
  type = object({
    retention_days    = optional(number, 365) # For so long nobody can overwrite or delete an object.
    lock              = optional(bool, false) # Makes the retention irrevocable, for Google and for you.
    nearline_days     = optional(number, 30)  # Age at which an object moves to a colder class.
    coldline_days     = optional(number, 90)  # And to the next.
    archive_days      = optional(number, 365) # And to the coldest.
    delete_after_days = optional(number)      # Age at which an object is deleted; null: never.
    soft_delete_days  = optional(number, 30)  # How long what was deleted can be had back; 0: not at all.
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
  description = "Key for both buckets, the topics and the function with its images, as projects/P/locations/L/keyRings/R/cryptoKeys/K, in `region`; null: Google's keys. A key for each deployment."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is a key's full name: projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
  validation {
    condition     = var.kms_key == null ? true : split("/", "${var.kms_key}///")[3] == var.region
    error_message = "kms_key is a key in `region`: buckets and topics of a region take no key from elsewhere."
  }
}

variable "network" {
  description = "A network of its own with one static outgoing address for the partner's allow list, and a firewall that lets out what is needed; null: no network, changing addresses."
  type = object({
    subnet = optional(string, "10.90.0.0/26") # At least a /26; it is reached from nowhere, so that two deployments may have the same.
  })
  default = {}

  validation {
    condition     = var.network == null ? true : can(cidrhost(var.network.subnet, 0)) && tonumber(split("/", var.network.subnet)[1]) <= 26
    error_message = "network.subnet is an address range of /26 or larger, the least that direct egress accepts."
  }
}

variable "secrets" {
  description = "Names and care of the secrets."
  type = object({
    prefix        = optional(string)      # Before every secret's name; null: `name` and a hyphen. "" keeps the names of version 0.1.
    rotation_days = optional(number, 365) # How often a reminder says that our own keys are to be changed.
    protect       = optional(bool, true)  # Terraform refuses to delete a secret; turn it off before `terraform destroy`.
  })
  default = {}

  validation {
    condition     = var.secrets.rotation_days >= 1 && var.secrets.rotation_days <= 3650
    error_message = "secrets.rotation_days is between 1 and 3650."
  }
}

variable "project_audit_log" {
  description = "Record reads of secrets and writes to buckets in the project's audit log, on which two alerts rest. The setting is one for the whole project: true in one deployment of a project, false in the others, or where you have a setting of your own with the same log types."
  type        = bool
  default     = true
}

variable "people" {
  description = "Members such as group:oncall@example.com, by what they do. The README says which roles each gets."
  type = object({
    operators  = optional(set(string), []) # Publish messages, read answers, records, logs and rejected messages.
    responders = optional(set(string), []) # Operators who may also act as the function, with `--here`, and read the audit log.
    custodians = optional(set(string), []) # Add and retire versions of secrets, and cannot read them.
    auditors   = optional(set(string), []) # Read the archive and the records.
  })
  default = {}

  validation {
    condition = alltrue([
      for member in setunion(var.people.operators, var.people.responders, var.people.custodians, var.people.auditors) :
      can(regex("^(user|group|serviceAccount|principal|principalSet):.+", member))
    ])
    error_message = "Every member says what it is, such as group:oncall@example.com; allUsers and allAuthenticatedUsers are not accepted."
  }
}

variable "alerting" {
  description = "Who hears of alerts."
  type = object({
    emails                 = list(string)               # Each becomes a notification channel.
    channels               = optional(list(string), []) # Names of existing channels (PagerDuty, Slack).
    runbook_url            = optional(string)           # Where RUNBOOK.md can be read, without the file's name.
    certified_within_hours = optional(number, 3)        # How long nothing may be certified, or recorded as empty.
    renotify_hours         = optional(number, 24)       # How often an open incident is repeated.
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
  description = "Alert on the project's cost in a month; null: none."
  type = object({
    billing_account = string # Such as 0123AB-4567CD-89EF01.
    amount          = number # In the billing account's currency.
  })
  default = null

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)) && var.budget.amount >= 1
    error_message = "budget.billing_account is an id such as 0123AB-4567CD-89EF01, and budget.amount is at least 1."
  }
}
