# Copy this to dev.tfvars and to live.tfvars, fill in what is yours, and commit both: none of it is secret. Whatever the module takes can be
# set here by the module's own name (deploy/terraform/README.md); a name that nobody knows is refused.
project    = "shop"
account_id = "123456789012"
region     = "eu-west-1"

# Where dev and live share an account, each has a suffix of its own.
role_name_suffix = "-dev"

# Names of buckets are global: begin this one with your company's name.
documentation_bucket = { name = "example-dbt-documentation-dev" }

# What the tasks reach: AWS, package hub and git by HTTPS; the warehouse by its port, as a security group, a network (cidr_ipv4) or a list
# of networks (prefix_list_id).
subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
security_group = {
  vpc_id = "vpc-0123456789abcdef0"
  egress = {
    https     = { port = 443, cidr_ipv4 = "0.0.0.0/0" }
    warehouse = { port = 5439, security_group_id = "sg-0123456789abcdef0" }
  }
}

# The secret with the password, if the Glue Connection names one; without it every run ends with 77. Its ARN, with the six characters at
# the end: aws secretsmanager describe-secret --secret-id redshift-dev --query ARN --output text
credentials     = "glue:redshift-dev"
secret_arns     = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-dev-AbCdEf"]
redshift_schema = "shop"

# After which a run is ended, with exit code 124.
deadline_seconds = 3600

# The docs and the pages of runs in a browser, for viewers with a name and a password.
# docs_site = { enabled = true, show_runs = true }

# Somebody is told of runs that failed or could not be started, and if none has succeeded for a day and a bit.
# alarms    = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 26 }
# dashboard = true

# With Airflow: its workers' role, where it takes its DAGs from, and when it starts a run. Where one Airflow has several environments, the
# file of the DAG is the same for all: only one of them, such as live, has the dag_destination.
airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-workers"]
dag_destination   = "s3://example-airflow/dags"
airflow_settings  = { schedule = "0 4 * * *", timezone = "Europe/Berlin" }

# Without Airflow: leave those three out, and let AWS start the runs.
# schedules = { nightly = { expression = "cron(0 4 * * ? *)", timezone = "Europe/Berlin" } }
