variable "credentials" {
  description = <<-EOT
    Where the runner fetches the warehouse's login, as its setting `credentials`: `glue:NAME`, `secretsmanager:ID-or-ARN`, `ssm:/path/`, or
    `none` for a project on another database. The task role may read this and nothing else.
  EOT
  type        = string

  validation {
    condition     = can(regex("^(glue:[^/*?\\s]+|secretsmanager:[^*?\\s]+|ssm:/[^*?\\s]+|none)$", var.credentials))
    error_message = "credentials: give glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/ or none, without '*'; a login has no place here."
  }
}

variable "secret_arns" {
  description = "ARNs of the secrets that a Glue Connection refers to (`SECRET_ID`, or the secret of its authentication configuration)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[^*]+$", arn))])
    error_message = "secret_arns: give whole ARNs, such as \"arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-AbCdEf\"."
  }

  validation {
    condition     = length(var.secret_arns) == 0 || startswith(var.credentials, "glue:")
    error_message = "secret_arns: only a Glue Connection refers to secrets; with another source of credentials leave this empty."
  }
}

variable "secret_kms_key_arns" {
  description = "ARNs of the customer managed keys that encrypt the secret or the parameters. Usable through that service only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[^*]+$", arn))])
    error_message = "secret_kms_key_arns: give ARNs of keys, not of aliases, and without '*'."
  }

  validation {
    condition     = length(var.secret_kms_key_arns) == 0 || !startswith(var.credentials, "glue:") || length(var.secret_arns) > 0
    error_message = "secret_kms_key_arns: name the connection's secrets in secret_arns; for its own password use connection_kms_key_arns."
  }

  validation {
    condition     = length(var.secret_kms_key_arns) == 0 || var.credentials != "none"
    error_message = "secret_kms_key_arns: with credentials = \"none\" there is nothing to decrypt; leave this empty."
  }
}

variable "connection_kms_key_arns" {
  description = "ARNs of the keys of the Glue Data Catalog, where it encrypts the passwords of connections or its metadata."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.connection_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[^*]+$", arn))])
    error_message = "connection_kms_key_arns: give ARNs of keys, not of aliases, and without '*'."
  }

  validation {
    condition     = length(var.connection_kms_key_arns) == 0 || startswith(var.credentials, "glue:")
    error_message = "connection_kms_key_arns: only a Glue Connection has a password of that kind; use secret_kms_key_arns."
  }
}

variable "redshift_schema" {
  description = "Schema that dbt builds in, `DBT_REDSHIFT_SCHEMA`. Most Glue Connections hold none."
  type        = string
  default     = null

  validation {
    condition     = var.redshift_schema == null || can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,126}$", var.redshift_schema))
    error_message = "redshift_schema: give the name of a schema, such as \"analytics\", or null where the connection or secret has one."
  }
}
