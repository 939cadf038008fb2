variable "project" {
  description = "Name of the dbt project: `PROJECT_NAME` of the runner, the prefix in the documentation bucket, and a part of all names."
  type        = string

  validation {
    # ECR takes separators only one by one, and between letters or digits; the repository bears the project's name.
    condition     = can(regex("^[a-z][a-z0-9]*([_-][a-z0-9]+)*$", var.project))
    error_message = "project: use lower-case letters and digits with single '-' or '_' between them, such as \"shop\" or \"web_shop\"."
  }

  validation {
    # 64 is IAM's limit on a role's name, 20 the length of the longest prefix, DBTOrchestratorRole-.
    condition     = length(var.project) + length(var.role_name_suffix) <= 44
    error_message = "project: with role_name_suffix it is longer than 44 characters, and a role's name would pass 64; shorten one of them."
  }

  validation {
    # 64 is EventBridge's limit on a rule's name, 13 the length of what dbt-<project>-<env>-failed has besides.
    condition     = length(var.project) + length(var.env) <= 51
    error_message = "project: with env it is longer than 51 characters, and the name of the rule for alarms would pass 64; shorten one of them."
  }
}

variable "env" {
  description = "Name of the deployment environment: `ENV` of the runner, and the only one that it takes for a deployment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.env))
    error_message = "env: use at most 20 lower-case letters, digits and '-', beginning with a letter, such as \"dev\" or \"live\"."
  }

  validation {
    condition     = var.env != "local"
    error_message = "env: \"local\" is the runner's sandbox, which publishes nothing; name a deployment, such as \"dev\" or \"live\"."
  }
}

variable "role_name_suffix" {
  description = <<-EOT
    Ends the names of the roles, `DBTServiceRole-<project><suffix>`. Roles belong to an account and not to a region or an environment: give
    every environment that shares an account a suffix of its own, such as `-dev`.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]*$", var.role_name_suffix))
    error_message = "role_name_suffix: a role's name takes letters, digits and +=,.@_- only, such as \"-dev\"."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds all roles, where the account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::(\\d{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary: give the ARN of a policy, such as \"arn:aws:iam::123456789012:policy/boundary\"."
  }
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete the repository with its images and the documentation bucket with all that is in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags on every resource that takes tags, and on the tasks, for the bill. Add to them with the provider's `default_tags`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags: keys that begin with \"aws:\" are reserved by AWS; rename them."
  }
}
