"""Owns the reading of a run's ledger from its bucket. Never writes."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.config import Config
from botocore.exceptions import ClientError

from .ledger import Read

# Of one object. Results of ten thousand nodes may have more.
LARGEST = 32 << 20


def reader(operator: Any, bucket: str, folder: str) -> Read:
    """Reads what lies in the folder, with the rights of the operator's connection."""
    # S3 may be out of the worker's reach, which must not hold up the task for minutes.
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
    client = S3Hook(
        aws_conn_id=operator.aws_conn_id,
        region_name=operator.region_name,
        verify=operator.verify,
        config=operator.hook.config.merge(config),
    ).conn

    def read(name: str) -> bytes | None:
        try:
            answer = client.get_object(Bucket=bucket, Key=f"{folder}/{name}")
        except ClientError as error:
            # Without s3:ListBucket, S3 denies also what is not there.
            if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied", "403"):
                return None
            raise
        if answer["ContentLength"] > LARGEST:
            raise ValueError(f"{name} has more than {LARGEST >> 20} MiB")
        return answer["Body"].read()

    return read
