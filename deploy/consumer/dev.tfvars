# None of this is secret. For live: live.tfvars and live.s3.tfbackend beside these.
project    = "shop"
account_id = "123456789012"
region     = "eu-west-1"

# Where dev and live share an account, each has a suffix of its own.
role_name_suffix = "-dev"

# Names of buckets are global: begin this one with your company's name.
documentation_bucket = "example-dbt-documentation-dev"

vpc_id     = "vpc-0123456789abcdef0"
subnet_ids = ["subnet-0123456789abcdef0"]
warehouse  = { port = 5439, security_group_id = "sg-0123456789abcdef0" }

credentials     = "glue:redshift-dev"
secret_arns     = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-dev-AbCdEf"]
redshift_schema = "shop"

schedules = { nightly = { expression = "cron(0 4 * * ? *)", timezone = "Europe/Berlin" } }
