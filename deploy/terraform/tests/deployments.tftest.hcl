# The example: two projects, two environments, one account.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  company = "acme"
  image_digests = {
    shop-dev     = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
    shop-live    = "sha256:0000000000000000000000000000000000000000000000000000000000000002"
    finance-dev  = "sha256:0000000000000000000000000000000000000000000000000000000000000003"
    finance-live = "sha256:0000000000000000000000000000000000000000000000000000000000000004"
  }
  vpc_id                      = "vpc-0123456789abcdef0"
  subnet_ids                  = ["subnet-0123456789abcdef0"]
  warehouse_security_group_id = "sg-0123456789abcdef0"
  secret_arns = {
    shop-dev     = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-dev-AbCdEf"
    shop-live    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-live-AbCdEf"
    finance-dev  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:finance-dev-AbCdEf"
    finance-live = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:finance-live-AbCdEf"
  }
  secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
  airflow_role_arn   = "arn:aws:iam::123456789012:role/airflow"
  alarm_topic_arn    = "arn:aws:sns:eu-west-1:123456789012:alarms"
}

run "several_in_one_account" {
  command = apply

  module {
    source = "./examples/complete"
  }

  # Names that belong to an account or to the world, each once.
  assert {
    condition = alltrue([for names in [
      [for deployment in module.dbt : deployment.log_group_name],
      [for deployment in module.dbt : deployment.airflow_variable.task_definition],
    ] : length(distinct(names)) == 4])
    error_message = "Two deployments want the same name."
  }

  assert {
    condition = (
      { for name, deployment in module.dbt : name => deployment.documentation_bucket }
      == { for name in keys(module.dbt) : name => "acme-dbt-documentation-${split("-", name)[1]}" }
    )
    error_message = "The projects of an environment do not share its bucket."
  }

  assert {
    condition = (
      { for name, deployment in module.dbt : name => deployment.airflow_variable.cluster }
      == { for name in keys(module.dbt) : name => "acme-dbt-${split("-", name)[1]}" }
    )
    error_message = "The projects of an environment do not share its cluster."
  }

  assert {
    condition     = alltrue([for name, deployment in module.dbt : endswith(deployment.image, var.image_digests[name])])
    error_message = "A deployment runs another one's image."
  }

  # Or the pushes to dev would let the image of live expire.
  assert {
    condition     = length(distinct([for deployment in module.dbt : deployment.repository_url])) == 4
    error_message = "Two deployments share a repository."
  }

  assert {
    condition     = keys(output.docs_sites) == ["shop-dev", "shop-live"]
    error_message = "Not one docs site for an environment."
  }

  assert {
    condition = (
      { for name, variable in output.airflow_variables : name => variable.role_arn != null }
      == { shop-dev = false, shop-live = true, finance-dev = false, finance-live = true }
    )
    error_message = "Airflow is let in elsewhere than in live."
  }
}
