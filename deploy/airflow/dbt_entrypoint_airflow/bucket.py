"""Owns the reading of a run's ledger from its bucket. Never writes."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.config import Config
from botocore.exceptions import ClientError

from .ledger import Node, Read, bucket_and_folder, built, nodes

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


def read_ledger(
    operator: Any, line: dict[str, Any]
) -> tuple[dict[str, list[Node] | None], list[str], str | None]:
    """The nodes of each step by its folder, what was built if assets are asked for, and why not all
    of it is known. Nothing that happens here changes the result of the run.
    """
    found: dict[str, list[Node] | None] = {}
    place = bucket_and_folder(line)
    if not place:
        return found, [], f"the ledger is at {line.get('destination')}, which is not read"
    bucket, folder = place
    try:
        read = reader(operator, bucket, folder)
        found = nodes(read, line)
        unread = ", ".join(name for name, of_step in found.items() if of_step is None)
        if unread:
            raise ValueError(f"those of {unread} are not there, or may not be read")
        return found, built(read, found) if operator.assets else [], None
    except Exception as error:
        return (
            found,
            [],
            f"{error}. The role of the connection {operator.aws_conn_id!r} needs s3:GetObject on "
            f"s3://{bucket}/{folder}/*, and kms:Decrypt where a key encrypts the bucket",
        )
