"""plan_holds.py PLAN.json: the planned example has as many of each resource as its four deployments
need, and no password in it.
"""

import collections
import json
import re
import sys

# Two environments with a cluster, a bucket and a docs site each; four deployments with a repository
# each; dev is scheduled, live has Airflow.
EXPECTED = {
    "aws_cloudfront_distribution": 2,
    "aws_cloudfront_function": 2,
    "aws_cloudfront_key_value_store": 2,
    "aws_cloudfront_origin_access_control": 2,
    "aws_cloudwatch_event_rule": 8,
    "aws_cloudwatch_event_target": 8,
    "aws_cloudwatch_log_group": 4,
    "aws_cloudwatch_metric_alarm": 2,
    "aws_ecr_lifecycle_policy": 4,
    "aws_ecr_repository": 4,
    "aws_ecs_cluster": 2,
    "aws_ecs_task_definition": 4,
    "aws_iam_role": 12,
    "aws_iam_role_policy": 12,
    "aws_s3_bucket": 2,
    "aws_s3_bucket_lifecycle_configuration": 2,
    "aws_s3_bucket_ownership_controls": 2,
    "aws_s3_bucket_policy": 2,
    "aws_s3_bucket_public_access_block": 2,
    "aws_s3_bucket_server_side_encryption_configuration": 2,
    "aws_s3_bucket_versioning": 2,
    "aws_scheduler_schedule": 2,
    "aws_scheduler_schedule_group": 2,
    "aws_security_group": 4,
    "aws_sqs_queue": 2,
    "aws_sqs_queue_policy": 2,
    "aws_vpc_security_group_egress_rule": 8,
}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    changes = json.loads(text)["resource_changes"]
    planned = collections.Counter(
        change["type"] for change in changes if change["mode"] == "managed"
    )
    if planned != EXPECTED:
        missing, unexpected = EXPECTED.items() - planned.items(), planned.items() - EXPECTED.items()
        sys.exit(f"expected, but not planned: {missing}; planned, but not expected: {unexpected}")
    # Of who may view the docs the plan may hold the store's name and nothing else.
    found = re.findall(r"(?i)\bbasic [a-z0-9+/]{8,}|(?<!sha256:)\b[0-9a-f]{64}\b", text)
    if found:
        sys.exit(f"the plan holds what looks like a login or its hash: {sorted(set(found))}")


main()
