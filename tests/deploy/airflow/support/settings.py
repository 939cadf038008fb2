"""Settings as Terraform makes them."""

GOOD = {
    "project": "shop",
    "env": "live",
    "cluster": "analytics",
    "task_definition": "dbt-shop-live",
    "container_name": "dbt",
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "assign_public_ip": False,
    "awslogs_group": "/dbt/shop",
    "awslogs_stream_prefix": "ecs",
    "awslogs_region": "eu-west-1",
    "region": "eu-west-1",
    "role_arn": "arn:aws:iam::123456789012:role/DBTServiceRole-shop",
    "deadline_seconds": 3600,
    "stop_timeout_seconds": 120,
}
