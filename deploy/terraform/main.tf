data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `id` is the region's name in every version of the provider; `name` and `region` each lack in some.
  region = data.aws_region.current.id

  # The task definition's family, and the stem of every name but those of the roles, which have a convention of their own.
  name           = "dbt-${var.project}-${var.env}"
  container_name = "dbt"
  stream_prefix  = "dbt"

  # ARNs are put together from names where the name is known. So a policy can be read in the plan, and does not change when another
  # resource is only being replaced.
  cluster_name   = coalesce(var.cluster.name, "dbt-${var.env}")
  cluster_arn    = "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${local.cluster_name}"
  log_group_name = "/ecs/${local.name}"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group_name}"

  role_names = {
    task         = "DBTServiceRole-${var.project}${var.role_name_suffix}"
    execution    = "DBTExecutionRole-${var.project}${var.role_name_suffix}"
    orchestrator = "DBTOrchestratorRole-${var.project}${var.role_name_suffix}"
    scheduler    = "DBTSchedulerRole-${var.project}${var.role_name_suffix}"
  }
  role_arns = { for key, name in local.role_names : key => "arn:${local.partition}:iam::${local.account}:role/${name}" }
}
