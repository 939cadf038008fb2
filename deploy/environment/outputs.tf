output "repository_url" {
  description = "Where the image is pushed to."
  value       = module.dbt.repository_url
}

output "airflow_variable" {
  description = "The value of the Airflow variable dbt_ecs, or of one entry in it."
  value = merge(
    module.dbt.airflow_variable,
    # A connection assumes one role, and each environment of each project has another.
    { aws_connection_id = replace("aws_dbt_${var.project}_${var.env}", "-", "_") },
    var.airflow_settings,
  )
}

output "dag_destination" {
  description = "Where scripts/deploy copies the DAG to."
  value       = var.dag_destination
}

output "cluster_arn" {
  description = "Where the task runs."
  value       = module.dbt.cluster_arn
}

output "task_definition_arn" {
  description = "What runs, with its revision."
  value       = module.dbt.task_definition_arn
}

output "log_group_name" {
  description = "Where its log is."
  value       = module.dbt.log_group_name
}

output "docs_site_url" {
  description = "Where the docs are shown; null if there is no site."
  value       = module.dbt.docs_site_url
}

output "docs_viewers_arn" {
  description = "The store that holds who may view the docs site."
  value       = module.dbt.docs_viewers_arn
}

output "security_group_id" {
  description = "What the warehouse's security group has to let in."
  value       = module.dbt.security_group_id
}
