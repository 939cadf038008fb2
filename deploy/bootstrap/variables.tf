# scripts/bootstrap sets all of them.

variable "project" {
  description = "Name of the dbt project, as in ENV.tfvars."
  type        = string
}

variable "env" {
  description = "Name of the deployment environment."
  type        = string
}

variable "account_id" {
  description = "The AWS account of this environment."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "state_bucket" {
  description = "The bucket of Terraform's states, in which a plan takes a lock."
  type        = string
}

variable "repository" {
  description = "The repository whose workflows deploy, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository: give OWNER/NAME."
  }
}

variable "owner_id" {
  description = "The number that GitHub has for the owner."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.owner_id))
    error_message = "owner_id: it is a number: gh api repos/OWNER/NAME --jq .owner.id"
  }
}

variable "repository_id" {
  description = "The number that GitHub has for the repository."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.repository_id))
    error_message = "repository_id: it is a number: gh api repos/OWNER/NAME --jq .id"
  }
}

variable "boundary_actions" {
  description = "What the boundary allows besides: the actions of task_role_statements."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.boundary_actions : can(regex("^[a-z0-9-]+:[A-Za-z*]+$", action)) && !startswith(action, "iam:")])
    error_message = "boundary_actions: an action is service:Name, and none of iam's."
  }
}
