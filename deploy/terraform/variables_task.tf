variable "cpu" {
  description = "CPU of the task in units of 1/1024 vCPU: 256, 512, 1024, 2048, 4096, 8192 or 16384."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = contains(keys(local.fargate_memory), tostring(var.cpu))
    error_message = "cpu: Fargate knows 256, 512, 1024, 2048, 4096, 8192 and 16384; take one of them."
  }
}

variable "memory" {
  description = "Memory of the task in MiB. Fargate allows 2 to 8 times the CPU units in whole GiB, with some exceptions."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    # A wrong cpu has an error of its own; this one would only repeat it.
    condition     = contains(lookup(local.fargate_memory, tostring(var.cpu), [var.memory]), var.memory)
    error_message = "memory: Fargate has no such task with this cpu; with 512 units take 1024, 2048, 3072 or 4096 MiB."
  }
}

variable "architecture" {
  description = "CPU architecture of the image: `X86_64`, or the cheaper `ARM64`."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture: take \"X86_64\" or \"ARM64\", whichever the image was built for."
  }
}

variable "ephemeral_storage_gib" {
  description = "Disk of the task in GiB, 21 to 200, where Fargate's 20 are too few for the project's `target/`."
  type        = number
  default     = null

  validation {
    condition     = var.ephemeral_storage_gib == null || try(var.ephemeral_storage_gib >= 21 && var.ephemeral_storage_gib <= 200, false)
    error_message = "ephemeral_storage_gib: take 21 to 200, or null for Fargate's own 20."
  }
}

variable "command" {
  description = "What the runner does when nobody overrides it, such as `[\"run\", \"--steps\", \"build,docs\"]`."
  type        = list(string)
  default     = ["run"]
  nullable    = false

  validation {
    condition     = length(var.command) > 0
    error_message = "command: name at least the runner's command, as in [\"run\"]."
  }
}

variable "deadline_seconds" {
  description = "Deadline of a whole run. When it has passed, the runner stops dbt in order and ends with 124."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.deadline_seconds >= 60 && var.deadline_seconds == floor(var.deadline_seconds)
    error_message = "deadline_seconds: give a number of whole seconds, 60 or more."
  }
}

variable "stop_timeout_seconds" {
  description = "How long ECS waits between SIGTERM and SIGKILL. The runner is told to be done 10 s before that."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.stop_timeout_seconds >= 30 && var.stop_timeout_seconds <= 120
    error_message = "stop_timeout_seconds: take 30 to 120; 120 is Fargate's limit, and below 30 dbt has no time to cancel its queries."
  }

  validation {
    condition     = var.stop_timeout_seconds == floor(var.stop_timeout_seconds)
    error_message = "stop_timeout_seconds: give a number of whole seconds, which is all that ECS takes."
  }
}

variable "log_format" {
  description = "`text`, or `json` for one JSON object a line, dbt's lines too."
  type        = string
  default     = "text"
  nullable    = false

  validation {
    condition     = contains(["text", "json"], var.log_format)
    error_message = "log_format: take \"text\" or \"json\"."
  }
}

variable "environment" {
  description = <<-EOT
    Further variables for the container, such as `DBT_ENTRYPOINT_STEPS`. Whoever may describe the task definition can read them: no secrets.
    What this module sets itself cannot be set here.
  EOT
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "environment: the name of a variable has letters, digits and '_' only; rename it."
  }

  validation {
    condition = alltrue([
      for name in keys(var.environment) : !can(regex("(?i)password|passwd|secret|token|private_key|access_key", name))
    ])
    error_message = "environment: a name sounds like a secret, and task definitions can be read; use the source in credentials."
  }

  validation {
    condition     = length(setintersection(keys(var.environment), keys(local.own_environment))) == 0
    error_message = "environment: a variable is set by this module; use its input (env, project, credentials, deadline_seconds, …)."
  }
}

variable "readonly_root_filesystem" {
  description = "Whether the container can write to `/tmp` only. `false` for dbt packages or sidecars that want to write elsewhere."
  type        = bool
  default     = true
  nullable    = false
}

variable "sidecars" {
  description = <<-EOT
    More containers beside dbt's, such as a proxy or an agent, as ECS takes them (`containerDefinitions`). Say `essential = false`: the end of
    an essential container ends dbt, too. The task ends with dbt in any case, and the exit code that counts is dbt's.
  EOT
  type        = any
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for container in var.sidecars : can(container.name) && can(container.image)])
    error_message = "sidecars: give a list of container definitions, each with a name and an image."
  }

  validation {
    condition = (
      !contains([for container in var.sidecars : try(container.name, "")], local.container_name)
      && length(distinct([for container in var.sidecars : try(container.name, "")])) == length(var.sidecars)
    )
    error_message = "sidecars: every container needs a name of its own, and \"dbt\" is taken; rename it."
  }
}

variable "task_role_statements" {
  description = <<-EOT
    What the container may do besides reading its login and publishing, such as `UNLOAD` to a bucket, or `redshift:GetClusterCredentials`
    for dbt's own `method: iam`. Each has `actions`, `resources` and perhaps `conditions` (`test`, `variable`, `values`).
  EOT
  type = list(object({
    actions   = set(string)
    resources = set(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue(flatten([for given in var.task_role_statements : [for action in given.actions : can(regex("^[a-z0-9-]+:\\S+$", action))]]))
    error_message = "task_role_statements: an action is service:Name, such as \"s3:PutObject\"; the action \"*\" is everything in the account."
  }

  validation {
    condition     = alltrue([for given in var.task_role_statements : length(given.actions) > 0 && length(given.resources) > 0])
    error_message = "task_role_statements: every statement needs at least one of actions and of resources."
  }
}

locals {
  fargate_memory = {
    "256"   = [512, 1024, 2048]
    "512"   = range(1024, 4097, 1024)
    "1024"  = range(2048, 8193, 1024)
    "2048"  = range(4096, 16385, 1024)
    "4096"  = range(8192, 30721, 1024)
    "8192"  = range(16384, 61441, 4096)
    "16384" = range(32768, 122881, 8192)
  }
}
