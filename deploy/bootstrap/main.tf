# What has to be there before an environment can be deployed from GitHub: two roles that its workflows take, and the boundary of all roles
# that they make. scripts/bootstrap applies it, with the rights of whoever runs it; the state's bucket and GitHub's identity provider, of
# which an account has one each, it makes itself.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }

  # Which bucket and key, says scripts/bootstrap.
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  names     = { for kind in ["plan", "apply"] : kind => "github-dbt-${var.project}-${var.env}${kind == "plan" ? "-plan" : ""}" }
  values = {
    account      = var.account_id
    partition    = local.partition
    state_bucket = var.state_bucket
    boundary     = "arn:${local.partition}:iam::${var.account_id}:policy/${local.boundary_name}"
  }
  boundary_name = "dbt-boundary-${var.project}-${var.env}"
}
