output "airflow_variables" {
  description = "For every deployment the value of its Airflow variable: terraform output -json airflow_variables | jq '.\"shop-live\"'"
  value       = { for name, deployment in module.dbt : name => deployment.airflow_variable }
}

output "repository_urls" {
  description = "Where the image of every project is pushed to."
  value       = { for name, deployment in module.dbt : name => deployment.repository_url }
}

output "docs_sites" {
  description = "Where the docs of every environment are shown, and the store that holds who may view them."
  value = { for name, deployment in module.dbt : name => {
    url         = deployment.docs_site_url
    viewers_arn = deployment.docs_viewers_arn
  } if deployment.docs_site_url != null }
}
