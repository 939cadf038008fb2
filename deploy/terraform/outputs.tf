locals {
  docs_url = local.docs_site.domain == null ? null : "https://${try(var.docs_site.aliases[0], local.docs_site.domain)}/${var.project}/"
}

output "airflow_variable" {
  description = <<-EOT
    All that the DAG has to know, as one object: `terraform output -json airflow_variable` prints the value of one Airflow variable. The
    log's stream is `<awslogs_stream_prefix>/<container_name>/<task id>`; `role_arn` is what the connection assumes, null where
    Airflow's own role has the rights.
  EOT
  value = {
    cluster               = local.cluster_name
    task_definition       = aws_ecs_task_definition.this.family
    container_name        = local.container_name
    subnets               = var.subnet_ids
    security_groups       = local.security_group_ids
    assign_public_ip      = var.assign_public_ip
    awslogs_group         = aws_cloudwatch_log_group.this.name
    awslogs_stream_prefix = local.stream_prefix
    awslogs_region        = local.region
    region                = local.region
    role_arn = {
      none         = null
      task         = aws_iam_role.task.arn
      orchestrator = one(aws_iam_role.orchestrator[*].arn)
    }[local.airflow_assumes]
    env                  = var.env
    project              = var.project
    deadline_seconds     = var.deadline_seconds
    stop_timeout_seconds = var.stop_timeout_seconds
    docs_url             = local.docs_url
    capacity_provider_strategy = [for each in var.capacity_provider_strategy : {
      # As RunTask calls them.
      capacityProvider = each.capacity_provider, weight = each.weight, base = each.base
    }]
  }
}

output "repository_url" {
  description = "Where the image is pushed to, without a tag."
  value       = local.repository_url
}

output "image" {
  description = "The image that the task runs."
  value       = local.image
}

output "cluster_arn" {
  description = "ARN of the cluster, also of one that is made elsewhere."
  value       = local.cluster_arn
}

output "task_definition_arn" {
  description = "ARN of the task definition with its revision."
  value       = aws_ecs_task_definition.this.arn
}

output "task_role_arn" {
  description = "ARN of `DBTServiceRole-<project>`, which the container has. A bucket, key or secret of another account has to trust it."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "ARN of the role with which ECS pulls the image and writes the log."
  value       = aws_iam_role.execution.arn
}

output "orchestrator_policy_json" {
  description = "The policy that starts, watches and stops the task, for an orchestrator whose role is kept elsewhere."
  value       = data.aws_iam_policy_document.orchestrator.json
}

output "log_group_name" {
  description = "Log group of the task."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group_id" {
  description = "The module's own security group, which the warehouse's has to let in; null if there is none."
  value       = one(aws_security_group.this[*].id)
}

output "documentation_bucket" {
  description = "Name of the bucket that the docs go to."
  value       = local.bucket_name
}

output "docs_site_url" {
  description = "Where the docs are shown; null if there is no site."
  value       = local.docs_url
}

output "docs_viewers_arn" {
  description = "ARN of the key value store that holds who may view the docs site; null if there is no site."
  value       = local.docs_site.viewers_arn
}

output "not_started_queue_url" {
  description = "The dead-letter queue of the schedules; null if there are none."
  value       = one(aws_sqs_queue.not_started[*].id)
}
