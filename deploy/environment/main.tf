# One environment of one dbt project: what scripts/deploy applies. Each environment has a state of its own, so that a plan for dev can
# change nothing in live.

terraform {
  # 1.10 is the first version that locks the state by a file beside it, `use_lockfile`.
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }

  # Which bucket and key, says ENV.s3.tfbackend.
  backend "s3" {}
}

provider "aws" {
  region = var.region
  # With credentials for another account nothing is planned, let alone changed.
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { managed-by = "terraform", system = "dbt", project = var.project, env = var.env }
  }
}

module "dbt" {
  source = "../terraform"

  project              = var.project
  env                  = var.env
  role_name_suffix     = var.role_name_suffix
  permissions_boundary = var.permissions_boundary
  force_destroy        = var.force_destroy
  tags                 = var.tags

  repository               = var.repository
  image                    = { digest = var.image_digest }
  architecture             = var.architecture
  cpu                      = var.cpu
  memory                   = var.memory
  ephemeral_storage_gib    = var.ephemeral_storage_gib
  command                  = var.command
  environment              = var.environment
  deadline_seconds         = var.deadline_seconds
  stop_timeout_seconds     = var.stop_timeout_seconds
  log_format               = var.log_format
  readonly_root_filesystem = var.readonly_root_filesystem
  sidecars                 = var.sidecars
  task_role_statements     = var.task_role_statements

  credentials             = var.credentials
  secret_arns             = var.secret_arns
  secret_kms_key_arns     = var.secret_kms_key_arns
  connection_kms_key_arns = var.connection_kms_key_arns
  redshift_schema         = var.redshift_schema

  publish              = var.publish
  documentation_bucket = var.documentation_bucket
  docs_site            = var.docs_site
  page_url             = var.page_url

  # The project's own: AWS takes the second cluster of a name for the first, and two states would own it.
  cluster                    = merge({ name = "dbt-${var.project}-${var.env}" }, var.cluster)
  capacity_provider_strategy = var.capacity_provider_strategy
  subnet_ids                 = var.subnet_ids
  assign_public_ip           = var.assign_public_ip
  security_group             = var.security_group
  security_group_ids         = var.security_group_ids

  airflow_role_arns = var.airflow_role_arns
  # The container then has nothing of what starts and stops it.
  orchestrator_role  = coalesce(var.orchestrator_role, try(length(var.airflow_role_arns), 0) > 0 ? "separate" : "service")
  schedules          = var.schedules
  schedule_retry     = var.schedule_retry
  alarms             = var.alarms
  dashboard          = var.dashboard
  log_retention_days = var.log_retention_days
  log_kms_key_arn    = var.log_kms_key_arn
}
