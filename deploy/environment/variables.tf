# ENV.tfvars sets these; scripts/deploy sets the first two itself, and refuses a name that is not here. All that the module takes has the
# module's own name, and the module's README says what it means; what is not set has the module's default.

variable "env" {
  description = "Name of the deployment environment, as given to scripts/deploy."
  type        = string
}

variable "image_digest" {
  description = "The image, by the digest that scripts/deploy finds for it."
  type        = string
}

# ---- what this root has besides the module ---------------------------------------------------------------------------------------------

variable "account_id" {
  description = "The AWS account of this environment. Credentials for another one are refused."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "airflow_settings" {
  description = "What the DAG takes beyond the names of things: schedule, timezone, tags, retries; see deploy/airflow/dbt_entrypoint_airflow/settings.py."
  type        = any
  default     = {}
}

variable "dag_destination" {
  description = "Where Airflow takes its DAGs from, such as s3://company-mwaa/dags; null without Airflow, and where another environment copies it."
  type        = string
  default     = null

  validation {
    condition     = var.dag_destination == null || can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\\s]*)?$", var.dag_destination))
    error_message = "dag_destination: give s3://bucket/folder, such as \"s3://company-mwaa/dags\"."
  }
}

# ---- what the module takes -------------------------------------------------------------------------------------------------------------

variable "project" {
  type = string
}

variable "credentials" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "role_name_suffix" {
  type    = string
  default = null
}

variable "permissions_boundary" {
  type    = string
  default = null
}

variable "force_destroy" {
  type    = bool
  default = null
}

variable "tags" {
  type    = map(string)
  default = null
}

variable "publish" {
  type    = string
  default = null
}

variable "secret_arns" {
  type    = list(string)
  default = null
}

variable "secret_kms_key_arns" {
  type    = list(string)
  default = null
}

variable "connection_kms_key_arns" {
  type    = list(string)
  default = null
}

variable "redshift_schema" {
  type    = string
  default = null
}

variable "assign_public_ip" {
  type    = bool
  default = null
}

variable "security_group_ids" {
  type    = list(string)
  default = null
}

variable "airflow_role_arns" {
  type    = list(string)
  default = null
}

variable "orchestrator_role" {
  type    = string
  default = null
}

variable "log_retention_days" {
  type    = number
  default = null
}

variable "log_kms_key_arn" {
  type    = string
  default = null
}

variable "cpu" {
  type    = number
  default = null
}

variable "memory" {
  type    = number
  default = null
}

variable "architecture" {
  type    = string
  default = null
}

variable "ephemeral_storage_gib" {
  type    = number
  default = null
}

variable "command" {
  type    = list(string)
  default = null
}

variable "deadline_seconds" {
  type    = number
  default = null
}

variable "stop_timeout_seconds" {
  type    = number
  default = null
}

variable "log_format" {
  type    = string
  default = null
}

variable "environment" {
  type    = map(string)
  default = null
}

variable "readonly_root_filesystem" {
  type    = bool
  default = null
}

variable "sidecars" {
  type    = any
  default = null
}

# Terraform drops what an object has beyond its type, without a word; so these are of any type, and say themselves what they do not know.

variable "documentation_bucket" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.documentation_bucket), ["create", "name", "owner", "kms_key_arn", "noncurrent_days", "ledger_days", "ledger_projects"])) == 0
    error_message = "documentation_bucket: there is a name in it that is not known; it has create, name, owner, kms_key_arn, noncurrent_days, ledger_days and ledger_projects."
  }
}

variable "docs_site" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.docs_site), ["enabled", "aliases", "certificate_arn", "price_class", "web_acl_arn", "show_runs"])) == 0
    error_message = "docs_site: there is a name in it that is not known; it has enabled, aliases, certificate_arn, price_class, web_acl_arn and show_runs."
  }
}

variable "repository" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.repository), ["create", "name", "immutable", "keep_images", "untagged_days", "kms_key_arn"])) == 0
    error_message = "repository: there is a name in it that is not known; it has create, name, immutable, keep_images, untagged_days and kms_key_arn."
  }
}

variable "cluster" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.cluster), ["create", "name", "container_insights"])) == 0
    error_message = "cluster: there is a name in it that is not known; it has create, name and container_insights."
  }
}

variable "security_group" {
  type    = any
  default = null

  validation {
    condition     = length(setsubtract(try(keys(var.security_group), []), ["create", "vpc_id", "egress"])) == 0
    error_message = "security_group: there is a name in it that is not known; it has create, vpc_id and egress."
  }

  validation {
    condition     = length(setsubtract(flatten([for rule in try(values(var.security_group.egress), []) : keys(rule)]), ["port", "cidr_ipv4", "prefix_list_id", "security_group_id"])) == 0
    error_message = "security_group.egress: there is a name in it that is not known; a rule has port, cidr_ipv4, prefix_list_id and security_group_id."
  }
}

variable "alarms" {
  type    = any
  default = null

  validation {
    condition     = length(setsubtract(try(keys(var.alarms), []), ["topic_arn", "no_success_hours"])) == 0
    error_message = "alarms: there is a name in it that is not known; it has topic_arn and no_success_hours."
  }
}

variable "dashboard" {
  type    = bool
  default = false
}

variable "page_url" {
  type    = string
  default = null
}

variable "schedule_retry" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.schedule_retry), ["maximum_attempts", "maximum_age_seconds"])) == 0
    error_message = "schedule_retry: there is a name in it that is not known; it has maximum_attempts and maximum_age_seconds."
  }
}

variable "schedules" {
  type    = any
  default = {}

  validation {
    condition     = length(setsubtract(flatten([for each in var.schedules : keys(each)]), ["expression", "timezone", "command", "enabled", "flexible_minutes", "restart"])) == 0
    error_message = "schedules: there is a name in it that is not known; an entry has expression, timezone, command, enabled, flexible_minutes and restart."
  }
}

variable "capacity_provider_strategy" {
  type    = any
  default = []

  validation {
    condition     = length(setsubtract(flatten([for each in var.capacity_provider_strategy : keys(each)]), ["capacity_provider", "weight", "base"])) == 0
    error_message = "capacity_provider_strategy: there is a name in it that is not known; an entry has capacity_provider, weight and base."
  }
}

variable "task_role_statements" {
  type    = any
  default = []

  validation {
    condition     = length(setsubtract(flatten([for each in var.task_role_statements : keys(each)]), ["actions", "resources", "conditions"])) == 0
    error_message = "task_role_statements: there is a name in it that is not known; an entry has actions, resources and conditions."
  }
}
