variable "airflow_role_arns" {
  description = "ARNs of the roles that Airflow's workers run as. They may then assume the role in the output `airflow_variable.role_arn`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.airflow_role_arns : can(regex("^arn:[a-z-]+:iam::\\d{12}:role/[^*]+$", arn))])
    error_message = "airflow_role_arns: give ARNs of roles without '*', such as \"arn:aws:iam::123456789012:role/airflow\"."
  }
}

variable "orchestrator_role" {
  description = <<-EOT
    Which role Airflow assumes to start, watch and stop tasks: `service`, the task role itself, or `separate`, a role
    `DBTOrchestratorRole-<project>` that cannot read the login, while the container can start no tasks. Without `airflow_role_arns` there is
    neither; the policy is an output.
  EOT
  type        = string
  default     = "service"
  nullable    = false

  validation {
    condition     = contains(["service", "separate"], var.orchestrator_role)
    error_message = "orchestrator_role: take \"service\" or \"separate\"."
  }
}

variable "schedules" {
  description = <<-EOT
    Runs that EventBridge Scheduler starts, for teams without Airflow, by name. It does not wait for the run before to end, but a run that
    finds another one at work is started once more, and then waits for the lease; see "Schedules".
    - `expression`: `cron(0 5 * * ? *)`, `rate(1 day)` or `at(2027-01-01T00:00:00)`.
    - `timezone`: of a cron expression, with its daylight saving time.
    - `command`: in the place of the task definition's.
    - `enabled`: `false` keeps the schedule but starts nothing.
    - `flexible_minutes`: lets the start be anywhere in that many minutes.
    - `restart`: whether a run that was killed, taken away or lost is finished, and one that found the lease held is started again.
  EOT
  type = map(object({
    expression       = string
    timezone         = optional(string, "UTC")
    command          = optional(list(string))
    enabled          = optional(bool, true)
    flexible_minutes = optional(number, 0)
    restart          = optional(bool, true)
  }))
  default  = {}
  nullable = false

  validation {
    # EventBridge takes a dot as well, and ECS does not where it keeps the schedule's name as who has started a task.
    condition     = alltrue([for name in keys(var.schedules) : can(regex("^[0-9A-Za-z_-]{1,64}$", name))])
    error_message = "schedules: a name has at most 64 letters, digits, '_' and '-', such as \"nightly\"."
  }

  validation {
    # 64 is EventBridge's limit on a rule's name, 15 the length of what dbt-<project>-<env>__<schedule>__killed has besides.
    condition = alltrue([for name, schedule in var.schedules :
      !schedule.restart || length(var.project) + length(var.env) + length(name) <= 49
    ])
    error_message = "schedules: a name is longer than 49 characters with project and env, and that of its rules would pass 64; shorten it, or set restart = false."
  }

  validation {
    condition     = alltrue([for schedule in values(var.schedules) : can(regex("^(cron|rate|at)\\(.+\\)$", schedule.expression))])
    error_message = "schedules: an expression is cron(…), rate(…) or at(…), such as \"cron(0 5 * * ? *)\"."
  }

  validation {
    condition     = alltrue([for schedule in values(var.schedules) : schedule.flexible_minutes >= 0 && schedule.flexible_minutes <= 1440])
    error_message = "schedules: flexible_minutes is 0 to 1440."
  }

  validation {
    condition     = alltrue([for schedule in values(var.schedules) : schedule.command == null || try(length(schedule.command) > 0, false)])
    error_message = "schedules: a command names at least the runner's command, as in [\"run\"]; leave it out for the task definition's."
  }
}

variable "schedule_retry" {
  description = <<-EOT
    How often and how long a start is tried that ECS would not take (a throttled call, no capacity), of a schedule and of a restart. It is
    not about how a task ends.
  EOT
  type = object({
    maximum_attempts    = optional(number, 5)
    maximum_age_seconds = optional(number, 3600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.schedule_retry.maximum_attempts >= 0 && var.schedule_retry.maximum_attempts <= 185
    error_message = "schedule_retry.maximum_attempts: take 0 to 185."
  }

  validation {
    condition     = var.schedule_retry.maximum_age_seconds >= 60 && var.schedule_retry.maximum_age_seconds <= 86400
    error_message = "schedule_retry.maximum_age_seconds: take 60 to 86400."
  }
}

variable "alarms" {
  description = <<-EOT
    Tells of tasks that failed and of starts that ended in the dead-letter queue. The message of a failure is ECS's own event, as AWS's
    chat application takes it: the task, its family, `stopCode`, `stoppedReason` and the containers' exit codes.
    - `topic_arn`: the SNS topic. Its policy has to let `events.amazonaws.com` and `cloudwatch.amazonaws.com` publish.
    - `no_success_hours`: tell also if no run has succeeded for so many hours, though none was even started; by the runner's own metrics.
  EOT
  # An object, since whether it is there is known even where the topic is yet to be made.
  type = object({
    topic_arn        = string
    no_success_hours = optional(number)
  })
  default = null

  validation {
    condition = try(var.alarms.no_success_hours, null) == null || (
      try(floor(var.alarms.no_success_hours) == var.alarms.no_success_hours, false)
      && try(var.alarms.no_success_hours >= 1 && var.alarms.no_success_hours <= 168, false)
    )
    error_message = "alarms.no_success_hours: take a whole number from 1 to 168; CloudWatch looks back no longer than a week."
  }

  validation {
    condition     = var.alarms == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]+$", var.alarms.topic_arn))
    error_message = "alarms.topic_arn: give the ARN of a standard SNS topic, such as \"arn:aws:sns:eu-west-1:123456789012:alarms\"."
  }
}

variable "dashboard" {
  description = "Whether CloudWatch gets a dashboard of the runs: how they ended, how long they took, what became of their nodes."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "For how many days CloudWatch keeps the logs; 0 means forever."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "log_retention_days: CloudWatch knows 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 and some more."
  }
}

variable "log_kms_key_arn" {
  description = "ARN of the key that encrypts the logs, in the place of AWS's own. Its policy has to let CloudWatch Logs use it."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn: give the ARN of a key, not an alias."
  }
}
