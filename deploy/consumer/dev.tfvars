# None of this is secret. For live: live.tfvars and live.s3.tfbackend beside these. What can be set, main.tf has as a variable.
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
# In public subnets, which have no NAT gateway.
# assign_public_ip = true

# The Glue Connection, and the secret with its password:
# aws secretsmanager describe-secret --secret-id redshift-dev --query ARN --output text
credentials     = "glue:redshift-dev"
secret_arns     = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-dev-AbCdEf"]
redshift_schema = "shop"

# Step 5: AWS starts a run every night.
# schedules = { nightly = { expression = "cron(0 4 * * ? *)", timezone = "Europe/Berlin" } }
# Or Airflow does: its workers' role, where it takes its DAGs from, and when it starts a run.
# airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-workers"]
# dag_destination   = "s3://example-airflow/dags"
# airflow_settings  = { schedule = "0 4 * * *", timezone = "Europe/Berlin" }

# Where GitHub deploys: what scripts/bootstrap prints.
# permissions_boundary = "arn:aws:iam::123456789012:policy/dbt-boundary-shop-dev"

# The docs in a browser, and who is told of failures.
# docs_site = { enabled = true, show_runs = true }
# alarms    = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 26 }
