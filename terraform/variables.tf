# Who, where and what. The first four and `alerting.emails` have no default: terraform.tfvars.example has them.

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
  description = "Prefix of every name. Two deployments in one project need two."
  type        = string
  default     = "amazon-pspp"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has 3 to 20 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "labels" {
  description = "Labels of every resource that can have labels, beside system = name."
  type        = map(string)
  default     = {}
}

variable "warehouse" {
  description = "The dataset with identity, payments, transactions and the watermark. It belongs to dbt and is only referenced; `create` makes an empty one in a new project. `project` is needed where it is another one."
  type = object({
    dataset = string
    project = optional(string)
    create  = optional(bool, false)
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

variable "partner" {
  description = "The partner's SFTP server. `publish` is direct (AWS Transfer) or rename (an ordinary server); `collects` says that the partner takes files away; `ranges` are the addresses that the function may reach on `port` where there is a network."
  type = object({
    host      = string
    user      = string
    port      = optional(number, 22)
    directory = optional(string)
    publish   = optional(string, "direct")
    collects  = optional(bool)
    ranges    = optional(list(string), ["0.0.0.0/0"])
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
    host          = string
    user          = string
    port          = optional(number, 22)
    directory     = optional(string)
    delete        = optional(bool)
    error_pattern = optional(string)
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
    compression = optional(string)
    sign        = optional(bool)
    reopen      = optional(bool)
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
    max_part_rows         = optional(number)
    max_part_bytes        = optional(number)
    max_message_age_hours = optional(number)
    max_bytes_billed      = optional(number)
    time_travel_hours     = optional(number)
    look_back_hours       = optional(number)
    max_republish         = optional(number)
    revise_late_rows      = optional(bool)
  })
  default = {}

  validation {
    condition     = alltrue([for name, value in var.limits : value == null ? true : value == floor(value) if name != "revise_late_rows"])
    error_message = "Every limit is a whole number."
  }
}

variable "function" {
  description = "Size of the function; README.md says where the defaults come from."
  type = object({
    memory        = optional(string, "2Gi")
    cpu           = optional(string, "2")
    max_instances = optional(number, 10)
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
  description = "When each action runs, as cron in UTC. Deliver waits some minutes for the hour's last rows; certify looks at the hour before the one just delivered."
  type = object({
    deliver = optional(string, "5 * * * *")
    certify = optional(string, "35 * * * *")
    collect = optional(string, "50 * * * *")
    keys    = optional(string, "20 6 * * *")
    paused  = optional(bool, false)
  })
  default = {}

  validation {
    condition     = alltrue([for cron in [var.schedules.deliver, var.schedules.certify, var.schedules.collect, var.schedules.keys] : length(split(" ", cron)) == 5])
    error_message = "A schedule has five fields, such as \"5 * * * *\"."
  }
}
