# One environment of one dbt project: what scripts/deploy applies. Each environment has a state of its own, so that a plan for dev can
# change nothing in live. A project that needs more of the module sets it here.

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

  project          = var.project
  env              = var.env
  role_name_suffix = var.role_name_suffix

  permissions_boundary = var.permissions_boundary

  repository   = { create = var.create_repository }
  image        = { digest = var.image_digest }
  architecture = var.architecture
  cpu          = var.cpu
  memory       = var.memory

  # The project's own: AWS takes the second cluster of a name for the first, and two states would own it.
  cluster              = { create = true, name = "dbt-${var.project}-${var.env}" }
  documentation_bucket = { create = true, name = var.documentation_bucket }

  subnet_ids       = var.subnet_ids
  assign_public_ip = var.assign_public_ip
  security_group = {
    vpc_id = var.vpc_id
    egress = {
      https    = { port = 443, cidr_ipv4 = "0.0.0.0/0" }
      redshift = { port = 5439, security_group_id = var.warehouse_security_group_id }
    }
  }

  credentials             = var.credentials
  secret_arns             = var.secret_arns
  secret_kms_key_arns     = var.secret_kms_key_arns
  connection_kms_key_arns = var.connection_kms_key_arns
  redshift_schema         = var.redshift_schema

  airflow_role_arns = var.airflow_role_arns
  # The container then has nothing of what starts and stops it.
  orchestrator_role = length(var.airflow_role_arns) > 0 ? "separate" : "service"
  schedules         = var.schedules
  alarms            = var.alarm_topic_arn == null ? null : { topic_arn = var.alarm_topic_arn }
  force_destroy     = var.force_destroy
}
