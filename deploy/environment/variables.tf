# ENV.tfvars sets these; scripts/deploy sets the first two itself. What a value has to look like, the module says.

variable "env" {
  description = "Name of the deployment environment, as given to scripts/deploy."
  type        = string
}

variable "image_digest" {
  description = "The image, by the digest that scripts/deploy finds for it."
  type        = string
}

variable "project" {
  description = "Name of the dbt project: PROJECT_NAME of the runner, and a part of all names."
  type        = string
}

variable "account_id" {
  description = "The AWS account of this environment. Credentials for another one are refused."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "role_name_suffix" {
  description = "Ends the names of the roles: set \"-dev\" and \"-live\" where both environments share an account."
  type        = string
  default     = ""
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds all roles: what whoever deploys may give to a role, where it demands one."
  type        = string
  default     = null
}

variable "create_repository" {
  description = "Whether this environment makes the image's repository: false where another one in this account and region did."
  type        = bool
  default     = true
}

variable "documentation_bucket" {
  description = "Name of the bucket for the docs; dbt-documentation-<env> unless given. Names are global, so you may have to choose another."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets from which AWS and the warehouse can be reached."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "true in public subnets, whose only way out is an internet gateway."
  type        = bool
  default     = false
}

variable "warehouse_security_group_id" {
  description = "Security group of the Redshift cluster or workgroup."
  type        = string
}

variable "credentials" {
  description = "Where the runner fetches the login: glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/."
  type        = string
}

variable "secret_arns" {
  description = "The secrets that the Glue Connection refers to, if it does."
  type        = set(string)
  default     = []
}

variable "secret_kms_key_arns" {
  description = "The customer managed keys that encrypt them, if any does."
  type        = set(string)
  default     = []
}

variable "connection_kms_key_arns" {
  description = "The keys of the Glue Data Catalog, where it encrypts the passwords of connections or its metadata."
  type        = set(string)
  default     = []
}

variable "redshift_schema" {
  description = "The schema that dbt builds in."
  type        = string
}

variable "architecture" {
  description = "X86_64 or ARM64: the kind of machine that the image was built on."
  type        = string
  default     = "X86_64"
}

variable "cpu" {
  description = "CPU units of the task; 1024 are one vCPU."
  type        = number
  default     = 512
}

variable "memory" {
  description = "Memory of the task in MiB."
  type        = number
  default     = 1024
}

variable "airflow_role_arns" {
  description = "The roles that Airflow's workers run as."
  type        = set(string)
  default     = []
}

variable "airflow_settings" {
  description = "What the DAG takes beyond the names of things: schedule, timezone, tags, retries; see the top of deploy/airflow/dbt_ecs.py."
  type        = any
  default     = {}
}

variable "schedules" {
  description = "Runs that EventBridge Scheduler starts, for a team without Airflow."
  type = map(object({
    expression = string
    timezone   = optional(string, "UTC")
    command    = optional(list(string))
    enabled    = optional(bool, true)
  }))
  default = {}
}

variable "alarm_topic_arn" {
  description = "SNS topic that is told of runs that failed or could not be started."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Lets --destroy delete the repository with its images and the documentation bucket with all that is in it."
  type        = bool
  default     = false
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
