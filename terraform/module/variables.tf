# Who, where and what. Without default: project, warehouse, partner, alerting; terraform.tfvars.example has them.

variable "project" {
  description = "Id of the Google Cloud project that everything is created in and that is billed."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is a project id such as acme-data-share: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the function, the buckets, the secrets and the topics. Keep it where the dataset is: reading across regions is billed."
  type        = string
  default     = "europe-west1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a single region such as europe-west1, not a multi-region such as EU."
  }
}

variable "name" {
  description = "Prefix of every name. A second deployment in the same project needs another."
  type        = string
  default     = "amazon-pspp"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has 3 to 20 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "labels" {
  description = "Labels of every resource that can have labels, besides system = name."
  type        = map(string)
  default     = {}
}

variable "warehouse" {
  description = "The dataset with identity, payments, transactions and the watermark. It belongs to dbt."
  type = object({
    dataset  = string                # Name of the dataset, without its project.
    project  = optional(string)      # Its project, where it is another one.
    create   = optional(bool, false) # Make it here, empty; false: dbt or somebody else has made it.
    location = optional(string)      # Where it is, such as EU; null: in `region`. dbt must be given the same.
  })

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+$", var.warehouse.dataset))
    error_message = "warehouse.dataset is the dataset's name alone: letters, digits and underscores, without the project."
  }
  validation {
    condition     = !(var.warehouse.create && var.warehouse.project != null)
    error_message = "warehouse.create makes the dataset in this project: leave warehouse.project out, or create the dataset there yourself."
  }
}

variable "contracts" {
  description = "Folder with this deployment's contracts (*.yaml), from the repository's root or absolute; null: pipeline/contracts. They are packed with the function in place of those."
  type        = string
  default     = null

  validation {
    condition     = var.contracts == null ? true : length(fileset(startswith(var.contracts, "/") ? var.contracts : "${path.module}/../../${var.contracts}", "*.yaml")) > 0
    error_message = "contracts is a folder with at least one contract (*.yaml), from the repository's root or absolute."
  }
}

variable "partner" {
  description = "The partner's SFTP server."
  type = object({
    host      = string                                # Host name or address.
    user      = string                                # Our user there.
    port      = optional(number, 22)                  # Its port.
    directory = optional(string)                      # Directory for our files; null: where the login lands.
    publish   = optional(string, "direct")            # direct (AWS Transfer) or rename (an ordinary server).
    collects  = optional(bool)                        # The partner takes files away. Without it, certify sends a file that is gone again.
    ranges    = optional(list(string), ["0.0.0.0/0"]) # Addresses that the function may reach on `port`, where there is a network.
  })

  validation {
    condition     = can(regex("^[A-Za-z0-9.:-]+$", var.partner.host)) && trimspace(var.partner.user) != ""
    error_message = "partner.host is a host name or an address without scheme or path, and partner.user is not empty."
  }
  validation {
    condition     = contains(["direct", "rename"], var.partner.publish)
    error_message = "partner.publish is direct (write the final name) or rename (write a temporary name, then rename)."
  }
  validation {
    condition     = var.partner.port >= 1 && var.partner.port <= 65535
    error_message = "partner.port is between 1 and 65535."
  }
  validation {
    condition     = alltrue([for range in var.partner.ranges : can(cidrhost(range, 0))])
    error_message = "partner.ranges are address ranges such as 203.0.113.0/24."
  }
}

variable "returns" {
  description = "Server with the files that the partner returns; null: nothing is collected. It has its own key and host keys."
  type = object({
    host          = string               # Host name or address.
    user          = string               # Our user there.
    port          = optional(number, 22) # Its port.
    directory     = optional(string)     # Directory to collect from.
    delete        = optional(bool)       # Delete a file there once it is archived.
    error_pattern = optional(string)     # Regular expression; a file whose name matches is an error file.
  })
  default = null

  validation {
    condition     = var.returns == null ? true : can(regex("^[A-Za-z0-9.:-]+$", var.returns.host)) && trimspace(var.returns.user) != ""
    error_message = "returns.host is a host name or an address without scheme or path, and returns.user is not empty."
  }
}

variable "pgp" {
  description = "How files are sealed; what is left out has the function's own default (pipeline/settings.py)."
  type = object({
    compression = optional(string) # Algorithm and level such as zlib:1, or none.
    sign        = optional(bool)   # Sign inside the encrypted message.
    reopen      = optional(bool)   # Open every sealed file again before it may be sent.
  })
  default = {}

  validation {
    condition     = var.pgp.compression == null ? true : can(regex("^(none|(zip|zlib|bzip2):[1-9])$", var.pgp.compression))
    error_message = "pgp.compression is none, or an algorithm and a level such as zlib:1."
  }
}

variable "limits" {
  description = "Limits of the function; what is left out has the function's own default (pipeline/settings.py)."
  type = object({
    max_part_rows         = optional(number) # A delivery of more rows is cut into parts.
    max_part_bytes        = optional(number) # A delivery of more bytes likewise.
    max_message_age_hours = optional(number) # A message older than this is rejected; at most 167, before Pub/Sub forgets it.
    max_bytes_billed      = optional(number) # A query that would bill more bytes is refused.
    time_travel_hours     = optional(number) # How far back the tables can be read.
    first_hour            = optional(string) # First hour that is shared, such as 2026-11-23T13:00:00Z; without it the first that was planned.
    look_back_hours       = optional(number) # How far back certify looks for holes.
    max_republish         = optional(number) # Most deliveries that one certify run publishes again.
    revise_late_rows      = optional(bool)   # Send rows that arrived late as a new revision.
  })
  default = {}

  validation {
    condition     = alltrue([for name, value in var.limits : value == null ? true : value == floor(value) if !contains(["first_hour", "revise_late_rows"], name)])
    error_message = "Every limit is a whole number."
  }
  validation {
    condition     = var.limits.max_message_age_hours == null ? true : var.limits.max_message_age_hours >= 1 && var.limits.max_message_age_hours <= 167
    error_message = "limits.max_message_age_hours is between 1 and 167: Pub/Sub keeps a message for 168 hours, and one that it forgets is never rejected."
  }
}

variable "function" {
  description = "Size of the function; README.md says where the defaults come from."
  type = object({
    memory        = optional(string, "2Gi") # Memory of an instance; its file system is memory too.
    cpu           = optional(string, "2")   # Processors of an instance.
    max_instances = optional(number, 10)    # Most instances at once; each opens a connection to the partner.
  })
  default = {}

  validation {
    condition     = can(regex("^[0-9]+(Mi|Gi)$", var.function.memory))
    error_message = "function.memory is an amount such as 2Gi or 1024Mi."
  }
  validation {
    condition     = var.function.max_instances >= 1 && var.function.max_instances <= 100
    error_message = "function.max_instances is between 1 and 100; every instance opens a connection to the partner."
  }
}

variable "schedules" {
  description = "When each action runs, as cron in UTC."
  type = object({
    deliver = optional(string, "5 * * * *")  # Some minutes after the hour, for its last rows.
    certify = optional(string, "35 * * * *") # Looks at the hour before the one just delivered.
    collect = optional(string, "50 * * * *") # Fetches what the partner returned.
    keys    = optional(string, "20 6 * * *") # Looks at keys and host keys.
    paused  = optional(bool, false)          # Nothing runs by itself.
  })
  default = {}

  validation {
    condition     = alltrue([for cron in [var.schedules.deliver, var.schedules.certify, var.schedules.collect, var.schedules.keys] : length(split(" ", cron)) == 5])
    error_message = "A schedule has five fields, such as \"5 * * * *\"."
  }
}
