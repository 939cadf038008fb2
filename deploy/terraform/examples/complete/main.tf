# Two projects in two environments of one account, with everything on. `terraform apply` needs the variables below and a remote state.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }

  # Keep the state where the pipeline and your colleagues find it, locked and encrypted, for instance:
  # backend "s3" {
  #   bucket       = "shop-terraform"
  #   key          = "dbt/terraform.tfstate"
  #   region       = "eu-west-1"
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { managed-by = "terraform", system = "dbt" }
  }
}

locals {
  # One deployment a line. What the projects of an environment share (cluster, bucket, docs site) is made by the one that says so, and
  # found by the others by its name.
  deployments = {
    shop-dev     = { project = "shop", env = "dev", owns_env = true }
    shop-live    = { project = "shop", env = "live", owns_env = true }
    finance-dev  = { project = "finance", env = "dev", owns_env = false }
    finance-live = { project = "finance", env = "live", owns_env = false }
  }

  # Live is started by Airflow, dev by a schedule.
  schedules = {
    dev  = { nightly = { expression = "cron(0 4 ? * MON-FRI *)", timezone = "Europe/Berlin", command = ["run", "--steps", "build,docs"] } }
    live = {}
  }
}

module "dbt" {
  source   = "../.."
  for_each = local.deployments

  project          = each.value.project
  env              = each.value.env
  role_name_suffix = "-${each.value.env}"

  image = { digest = var.image_digests[each.key] }

  cluster = { create = each.value.owns_env, name = "${var.company}-dbt-${each.value.env}" }
  documentation_bucket = {
    create          = each.value.owns_env
    name            = "${var.company}-dbt-documentation-${each.value.env}"
    kms_key_arn     = var.documentation_kms_key_arn
    ledger_projects = distinct([for deployment in local.deployments : deployment.project])
  }
  docs_site = { enabled = each.value.owns_env, web_acl_arn = var.web_acl_arn }

  subnet_ids = var.subnet_ids
  security_group = {
    vpc_id = var.vpc_id
    egress = {
      https    = { port = 443, cidr_ipv4 = "0.0.0.0/0" }
      redshift = { port = 5439, security_group_id = var.warehouse_security_group_id }
    }
  }

  credentials         = "glue:redshift-${each.key}"
  secret_arns         = [var.secret_arns[each.key]]
  secret_kms_key_arns = [var.secret_kms_key_arn]
  redshift_schema     = each.value.project

  cpu          = 1024
  memory       = 2048
  architecture = "ARM64"

  airflow_role_arns = each.value.env == "live" ? [var.airflow_role_arn] : []
  orchestrator_role = "separate"
  schedules         = local.schedules[each.value.env]
  alarms            = { topic_arn = var.alarm_topic_arn }

  tags = { project = each.value.project, env = each.value.env }
}
