variable "cluster" {
  description = <<-EOT
    The ECS cluster. Its tasks may all be stopped and described by this project's orchestrator, so it is the border between teams.
    - `create`: whether this module makes it; `false` where another project of the environment did.
    - `name`: defaults to `dbt-<env>`.
    - `container_insights`: `enabled`, `enhanced` or `disabled`.
  EOT
  type = object({
    create             = optional(bool, true)
    name               = optional(string)
    container_insights = optional(string, "enabled")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.cluster.name == null || can(regex("^[A-Za-z][A-Za-z0-9_-]{0,254}$", var.cluster.name))
    error_message = "cluster.name: give a name, not an ARN, of letters, digits, '-' and '_'."
  }

  validation {
    condition     = contains(["enabled", "enhanced", "disabled"], var.cluster.container_insights)
    error_message = "cluster.container_insights: take \"enabled\", \"enhanced\" or \"disabled\"."
  }
}

variable "capacity_provider_strategy" {
  description = <<-EOT
    On what capacity the tasks run, where plain Fargate is not meant: `[{ capacity_provider = "FARGATE_SPOT" }]` costs about a third, and AWS
    may take the machine away, which Airflow and the schedules finish in another try. A cluster that this module makes gets the providers; one
    of others has to have them.
  EOT
  type = list(object({
    capacity_provider = string
    weight            = optional(number, 1)
    base              = optional(number, 0)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for each in var.capacity_provider_strategy : each.weight >= 0 && each.weight <= 1000 && each.base >= 0])
    error_message = "capacity_provider_strategy: a weight is 0 to 1000, a base 0 or more."
  }

  validation {
    condition     = length([for each in var.capacity_provider_strategy : each if each.base > 0]) <= 1
    error_message = "capacity_provider_strategy: only one of them may have a base."
  }
}

variable "subnet_ids" {
  description = "Subnets of the tasks. They need a way to AWS's APIs (NAT gateway or VPC endpoints) and to the warehouse."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-z]+$", id))])
    error_message = "subnet_ids: name at least one subnet by its id, such as \"subnet-0123456789abcdef0\"."
  }

  validation {
    condition     = length(var.subnet_ids) <= 16
    error_message = "subnet_ids: ECS takes 16 subnets at most."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks get a public address: only in public subnets, where nothing else reaches AWS."
  type        = bool
  default     = false
  nullable    = false
}

variable "security_group_ids" {
  description = "Security groups of the tasks, beside the module's own or in its place."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-z]+$", id))])
    error_message = "security_group_ids: give ids, such as \"sg-0123456789abcdef0\"."
  }

  validation {
    condition     = length(var.security_group_ids) <= 4
    error_message = "security_group_ids: ECS takes 5 security groups at most, one of which may be the module's own."
  }
}

variable "security_group" {
  description = <<-EOT
    A security group of the module's own, without any way in.
    - `create`: whether there is one; `false` needs `security_group_ids`.
    - `vpc_id`: the VPC of the subnets.
    - `egress`: the ways out, each with a `port` and one of `cidr_ipv4`, `prefix_list_id` and `security_group_id`. The default lets HTTPS
      (AWS, package hub, git) and Redshift's port out to anywhere: narrow it where you know the warehouse's security group.
  EOT
  type = object({
    create = optional(bool, true)
    vpc_id = optional(string)
    egress = optional(map(object({
      port              = number
      cidr_ipv4         = optional(string)
      prefix_list_id    = optional(string)
      security_group_id = optional(string)
      })), {
      https    = { port = 443, cidr_ipv4 = "0.0.0.0/0" }
      redshift = { port = 5439, cidr_ipv4 = "0.0.0.0/0" }
    })
  })
  default  = { create = false }
  nullable = false

  validation {
    condition     = !var.security_group.create || can(regex("^vpc-[0-9a-z]+$", var.security_group.vpc_id))
    error_message = "security_group.vpc_id: one of the module's own needs the id of the VPC, such as \"vpc-0123456789abcdef0\"."
  }

  validation {
    condition     = var.security_group.create || length(var.security_group_ids) > 0
    error_message = "security_group: tasks need one; set security_group = { vpc_id = \"vpc-…\" }, or name your own in security_group_ids."
  }

  validation {
    condition     = alltrue([for rule in values(var.security_group.egress) : rule.port >= 1 && rule.port <= 65535])
    error_message = "security_group.egress: a port is a number from 1 to 65535."
  }

  validation {
    condition = alltrue([for rule in values(var.security_group.egress) :
    length(compact([rule.cidr_ipv4, rule.prefix_list_id, rule.security_group_id])) == 1])
    error_message = "security_group.egress: give every rule exactly one of cidr_ipv4, prefix_list_id and security_group_id."
  }
}
