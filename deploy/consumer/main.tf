# One environment of your dbt project: what scripts/deploy applies. What differs between environments is in ENV.tfvars; whatever else the
# module takes is written into its call. Terraform refuses a name that the module does not have. What an object has beyond its type it drops
# without a word, so objects are of any type here, and refuse themselves what they do not know.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }

  # Which bucket and key, says ENV.s3.tfbackend.
  backend "s3" {}
}

# scripts/deploy sets these two.
variable "env" { type = string }
variable "image_digest" { type = string }

variable "project" { type = string }
variable "account_id" { type = string }
variable "region" { type = string }
variable "role_name_suffix" {
  type    = string
  default = ""
}
variable "permissions_boundary" {
  type    = string
  default = null
}
variable "architecture" {
  type    = string
  default = "X86_64"
}
variable "documentation_bucket" { type = string }
variable "subnet_ids" { type = list(string) }
variable "vpc_id" { type = string }
variable "warehouse" {
  description = "The way to the warehouse: its port (5439), and one of security_group_id, cidr_ipv4 and prefix_list_id."
  type        = any
  validation {
    condition     = length(setsubtract(keys(var.warehouse), ["port", "cidr_ipv4", "prefix_list_id", "security_group_id"])) == 0
    error_message = "warehouse: there is a name in it that is not known; it has port, cidr_ipv4, prefix_list_id and security_group_id."
  }
}
variable "credentials" { type = string }
variable "secret_arns" {
  type    = list(string)
  default = []
}
variable "secret_kms_key_arns" {
  type    = list(string)
  default = null
}
variable "connection_kms_key_arns" {
  type    = list(string)
  default = null
}
variable "task_role_statements" {
  type    = any
  default = []
  validation {
    condition     = length(setsubtract(flatten([for each in var.task_role_statements : keys(each)]), ["actions", "resources", "conditions"])) == 0
    error_message = "task_role_statements: there is a name in it that is not known; an entry has actions, resources and conditions."
  }
}
variable "cpu" {
  type    = number
  default = null
}
variable "memory" {
  type    = number
  default = null
}
variable "deadline_seconds" {
  type    = number
  default = null
}
variable "assign_public_ip" {
  type    = bool
  default = null
}
variable "docs_site" {
  type    = any
  default = {}
  validation {
    condition     = length(setsubtract(keys(var.docs_site), ["enabled", "aliases", "certificate_arn", "price_class", "web_acl_arn", "show_runs"])) == 0
    error_message = "docs_site: there is a name in it that is not known; it has enabled, aliases, certificate_arn, price_class, web_acl_arn and show_runs."
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
  default = null
}
variable "redshift_schema" { type = string }
variable "schedules" {
  type    = any
  default = {}
  validation {
    condition     = length(setsubtract(flatten([for each in var.schedules : keys(each)]), ["expression", "timezone", "command", "enabled", "flexible_minutes", "restart"])) == 0
    error_message = "schedules: there is a name in it that is not known; an entry has expression, timezone, command, enabled, flexible_minutes and restart."
  }
}
variable "airflow_role_arns" {
  type    = list(string)
  default = []
}
variable "airflow_settings" {
  type    = any
  default = {}
}
variable "dag_destination" {
  type    = string
  default = null
}
variable "force_destroy" {
  type    = bool
  default = false
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { managed-by = "terraform", system = "dbt", project = var.project, env = var.env }
  }
}

module "dbt" {
  source = "git::https://github.com/OWNER/dbt-entrypoint.git//deploy/terraform?ref=v0.1.0"

  project              = var.project
  env                  = var.env
  role_name_suffix     = var.role_name_suffix
  permissions_boundary = var.permissions_boundary
  image                = { digest = var.image_digest }
  architecture         = var.architecture
  cpu                  = var.cpu
  memory               = var.memory
  deadline_seconds     = var.deadline_seconds
  cluster              = { name = "dbt-${var.project}-${var.env}" }
  documentation_bucket = { name = var.documentation_bucket }
  docs_site            = var.docs_site
  subnet_ids           = var.subnet_ids
  assign_public_ip     = var.assign_public_ip
  security_group = {
    vpc_id = var.vpc_id
    egress = { https = { port = 443, cidr_ipv4 = "0.0.0.0/0" }, warehouse = merge({ port = 5439 }, var.warehouse) }
  }
  credentials             = var.credentials
  secret_arns             = var.secret_arns
  secret_kms_key_arns     = var.secret_kms_key_arns
  connection_kms_key_arns = var.connection_kms_key_arns
  redshift_schema         = var.redshift_schema
  task_role_statements    = var.task_role_statements
  schedules               = var.schedules
  alarms                  = var.alarms
  dashboard               = var.dashboard
  airflow_role_arns       = var.airflow_role_arns
  orchestrator_role       = "separate"
  force_destroy           = var.force_destroy
}

output "repository_url" { value = module.dbt.repository_url }
output "docs_site_url" { value = module.dbt.docs_site_url }
output "docs_viewers_arn" { value = module.dbt.docs_viewers_arn }
output "dag_destination" { value = var.dag_destination }
output "security_group_id" { value = module.dbt.security_group_id }
output "airflow_variable" {
  value = merge(
    module.dbt.airflow_variable,
    { aws_connection_id = replace("aws_dbt_${var.project}_${var.env}", "-", "_") },
    var.airflow_settings,
  )
}
