"""left.py ENDPOINT: fail if the local AWS still holds something that the module makes."""

import sys

import boto3


def client(service):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


left = {
    "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
    "repositories": [
        each["repositoryName"] for each in client("ecr").describe_repositories()["repositories"]
    ],
    "roles": [
        role["RoleName"]
        for role in client("iam").list_roles()["Roles"]
        if role["RoleName"].startswith("DBT")
    ],
    "log groups": [
        group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]
    ],
    # ECS remembers deleted clusters, and definitions are only taken out of service.
    "clusters": [
        cluster["clusterName"]
        for cluster in client("ecs").describe_clusters(
            clusters=client("ecs").list_clusters()["clusterArns"]
        )["clusters"]
        if cluster["status"] == "ACTIVE"
    ],
    "task definitions": client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
    "queues": client("sqs").list_queues().get("QueueUrls", []),
    "security groups": [
        group["GroupName"]
        for group in client("ec2").describe_security_groups()["SecurityGroups"]
        if group["GroupName"].startswith("dbt-")
    ],
    "rules": [rule["Name"] for rule in client("events").list_rules()["Rules"]],
    "alarms": [
        alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]
    ],
}
sys.exit("\n".join(f"{what}: {', '.join(names)}" for what, names in left.items() if names) or None)
