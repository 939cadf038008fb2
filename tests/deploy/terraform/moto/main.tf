# What is applied to the local AWS. The names are chosen to be mistaken for each other: a project that begins with another's name, one
# project in two environments, one environment with four projects.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "3.39.0"
    }
  }
}

variable "endpoint" {
  type = string
}

# Changed by the test, for a second revision of a task.
variable "memory" {
  type    = number
  default = 1024
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  s3_force_path_style         = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    cloudwatch       = var.endpoint
    cloudwatchevents = var.endpoint
    cloudwatchlogs   = var.endpoint
    ec2              = var.endpoint
    ecr              = var.endpoint
    ecs              = var.endpoint
    iam              = var.endpoint
    s3               = var.endpoint
    sns              = var.endpoint
    sqs              = var.endpoint
    sts              = var.endpoint
  }
}

resource "aws_vpc" "test" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "test" {
  vpc_id     = aws_vpc.test.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_sns_topic" "alarms" {
  name = "alarms"
}

locals {
  digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  key    = "arn:aws:kms:eu-west-1:123456789012:key/"
  secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
}

# Everything on: a connection with secret and keys, a bucket with a key and a site, Airflow by a role of its own, a schedule, alarms.
module "shop_live" {
  source = "./module"

  project                 = "shop"
  env                     = "live"
  role_name_suffix        = "-live"
  image                   = { digest = local.digest }
  subnet_ids              = [aws_subnet.test.id]
  security_group          = { vpc_id = aws_vpc.test.id }
  credentials             = "glue:redshift-live"
  secret_arns             = ["${local.secret}redshift-live-AbCdEf"]
  secret_kms_key_arns     = ["${local.key}secrets"]
  connection_kms_key_arns = ["${local.key}catalog"]
  documentation_bucket    = { kms_key_arn = "${local.key}docs" }
  docs_site               = { enabled = true }
  airflow_role_arns       = ["arn:aws:iam::123456789012:role/airflow"]
  orchestrator_role       = "separate"
  schedules = {
    nightly = { expression = "rate(1 day)" }
    hourly  = { expression = "rate(1 hour)", command = ["run", "--select", "orders+"] }
    once    = { expression = "at(2027-01-01T00:00:00)", restart = false }
  }
  alarms        = { topic_arn = aws_sns_topic.alarms.arn }
  force_destroy = true
  tags          = { team = "data" }
}

# The same project in another environment of the account: Airflow takes the service role, which has rights of the caller's besides.
module "shop_dev" {
  source = "./module"

  project            = "shop"
  env                = "dev"
  role_name_suffix   = "-dev"
  image              = { tag = "1.2.3" }
  force_destroy      = true
  subnet_ids         = [aws_subnet.test.id]
  security_group_ids = [module.shop_live.security_group_id]
  credentials        = "glue:redshift-dev"
  airflow_role_arns  = ["arn:aws:iam::123456789012:role/airflow"]
  memory             = var.memory
  task_role_statements = [
    { actions = ["s3:PutObject"], resources = ["arn:aws:s3:::acme-unload/shop/*"] },
    {
      actions    = ["redshift:GetClusterCredentials"]
      resources  = ["arn:aws:redshift:eu-west-1:123456789012:dbuser:warehouse/dbt"]
      conditions = [{ test = "StringEquals", variable = "redshift:DbUser", values = ["dbt"] }]
    },
  ]
}

# A name that begins with another's, in its cluster and bucket; a secret by its name.
module "payroll_live" {
  source = "./module"

  project              = "shop-payroll"
  env                  = "live"
  role_name_suffix     = "-live"
  image                = { digest = local.digest }
  cluster              = { create = false }
  documentation_bucket = { create = false, kms_key_arn = "${local.key}docs" }
  subnet_ids           = [aws_subnet.test.id]
  security_group_ids   = [module.shop_live.security_group_id]
  credentials          = "secretsmanager:prod/payroll"
  secret_kms_key_arns  = ["${local.key}secrets"]
}

# Parameters, an image that is not in ECR, nothing published.
module "ops_live" {
  source = "./module"

  project              = "ops"
  env                  = "live"
  role_name_suffix     = "-live"
  repository           = { create = false }
  image                = { repository_url = "registry.example/ops/dbt", tag = "1" }
  cluster              = { create = false }
  documentation_bucket = { create = false }
  publish              = "never"
  subnet_ids           = [aws_subnet.test.id]
  security_group_ids   = [module.shop_live.security_group_id]
  credentials          = "ssm:/ops/live/"
  secret_kms_key_arns  = ["${local.key}parameters"]
}
