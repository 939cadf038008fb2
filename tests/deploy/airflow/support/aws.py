"""The local AWS as the tests see it, and one dbt project on it."""

import json
import os
import pathlib
import shutil
import time
from dataclasses import dataclass, field

import boto3

REGION = "eu-west-1"
BUCKET = "dbt-documentation-dev"
CONNECTION = "warehouse"
PASSWORD = "a-Password-of-the-warehouse"
# What Airflow assumes, and what the containers have.
SERVICE_ROLE = "arn:aws:iam::123456789012:role/DBTServiceRole-shop"
TASK_ROLE = "arn:aws:iam::123456789012:role/DBTTaskRole-shop"


def wait_for(condition, what, seconds=180):
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Lab:
    def __init__(self, *, endpoint, credentials, events_file):
        self.endpoint, self.credentials, self.events_file = endpoint, credentials, events_file
        self.subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        self.group = self.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.client("ecs").create_cluster(clusterName="lab")
        self.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        properties = {
            "JDBC_CONNECTION_URL": "jdbc:redshift://warehouse.example.com:5439/shop",
            "USERNAME": "dbt",
            "PASSWORD": PASSWORD,
        }
        self.client("glue").create_connection(
            ConnectionInput={
                "Name": CONNECTION,
                "ConnectionType": "JDBC",
                "ConnectionProperties": properties,
            }
        )

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def events(self, kind, **matching):
        lines = map(json.loads, self.events_file.read_text().splitlines())
        return [
            event
            for event in lines
            if event["event"] == kind
            and all(event.get(key) == value for key, value in matching.items())
        ]


@dataclass
class Project:
    lab: Lab
    name: str
    folder: pathlib.Path
    root: pathlib.Path
    environment: dict = field(default_factory=dict)
    entry_point: list = field(default_factory=list)
    stop_timeout: int = 12
    env: str = "dev"

    def __post_init__(self):
        shutil.copytree(
            self.root / "dbt",
            self.folder,
            ignore=shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb*"),
        )
        binary = pathlib.Path(os.environ["DBT_ENTRYPOINT_BIN"])
        self.entry_point = [str(binary)]
        self.shared = self.folder / "fake"
        self.shared.mkdir()
        self.log_group = f"/dbt/{self.name}"
        self.lab.client("logs").create_log_group(logGroupName=self.log_group)
        self.environment = {
            "ENV": self.env,
            "PROJECT_NAME": self.name,
            "HOME": str(self.shared),
            "TMPDIR": str(self.shared),
            "DBT_PROJECT_DIR": str(self.folder),
            "DBT_ENTRYPOINT_DBT": str(binary.parent / "examples/fake_dbt"),
            "DBT_ENTRYPOINT_CREDENTIALS": f"glue:{CONNECTION}",
            # The runner's budget fits into the container's stopTimeout, as Terraform sets both.
            "DBT_ENTRYPOINT_STOP_TIMEOUT": "10s",
            "DBT_REDSHIFT_SCHEMA": "analytics",
            "DBT_TARGET": "duckdb",
            "FAKE_DBT_DIR": str(self.shared),
        }

    def with_real_dbt(self):
        self.environment["DBT_ENTRYPOINT_DBT"] = str(self.root / ".venv/bin/dbt")
        # For `dbt debug` wants git.
        self.environment["PATH"] = os.environ["PATH"]

    def script(self, *lines):
        """What the fake dbt does: (step, verb, argument)."""
        (self.shared / "script").write_text("".join("\t".join(line) + "\n" for line in lines))

    def hang(self):
        """The fake dbt goes on until it is interrupted. Returns the file that says it has begun."""
        self.script(("run", "until-sigint", "2 0"))
        return self.shared / "ready-run"

    def calls(self):
        """The calls of the fake dbt."""
        log = self.shared / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def settings(self, **changes):
        """What Terraform puts into the Airflow variable, and quicker times than a human needs."""
        self.register()
        return {
            "project": self.name,
            "env": self.env,
            "cluster": "lab",
            "task_definition": self.name,
            "container_name": "dbt",
            "subnets": [self.lab.subnet],
            "security_groups": [self.lab.group],
            "assign_public_ip": False,
            "awslogs_group": self.log_group,
            "awslogs_stream_prefix": "ecs",
            "awslogs_region": REGION,
            "region": REGION,
            "role_arn": SERVICE_ROLE,
            "deadline_seconds": 300,
            "stop_timeout_seconds": self.stop_timeout,
            "poll_seconds": 1,
            "retry_delay_seconds": 1,
            **changes,
        }

    def register(self):
        self.lab.client("ecs").register_task_definition(
            family=self.name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            taskRoleArn=TASK_ROLE,
            containerDefinitions=[
                {
                    "name": "dbt",
                    "image": "the command is taken from this machine",
                    # moto's ECS wants it, Fargate does not.
                    "memory": 512,
                    "entryPoint": self.entry_point,
                    "command": ["run"],
                    "stopTimeout": self.stop_timeout,
                    "environment": [
                        {"name": name, "value": value} for name, value in self.environment.items()
                    ],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": self.log_group,
                            "awslogs-region": REGION,
                            "awslogs-stream-prefix": "ecs",
                        },
                    },
                }
            ],
        )

    def tasks(self):
        """The tasks that ECS was asked to start for this project, in order."""
        arns = self.lab.client("ecs").list_tasks(cluster="lab", desiredStatus="STOPPED")["taskArns"]
        arns += self.lab.client("ecs").list_tasks(cluster="lab", desiredStatus="RUNNING")[
            "taskArns"
        ]
        described = (
            self.lab.client("ecs").describe_tasks(cluster="lab", tasks=arns)["tasks"]
            if arns
            else []
        )
        ids = {
            task["taskArn"].rpartition("/")[2]
            for task in described
            if task["taskDefinitionArn"].split("/")[-1].startswith(self.name + ":")
        }
        return [event for event in self.lab.events("run_task") if event["task"] in ids]

    def published(self):
        """The keys of this project in the bucket, without its name before them."""
        pages = (
            self.lab.client("s3")
            .list_objects_v2(Bucket=BUCKET, Prefix=f"{self.name}/")
            .get("Contents", [])
        )
        return [item["Key"].removeprefix(f"{self.name}/") for item in pages]

    def summary(self):
        """The `summary.json` of the ledger; there has to be one run."""
        keys = [key for key in self.published() if key.endswith("/summary.json")]
        assert len(keys) == 1, keys
        return json.load(
            self.lab.client("s3").get_object(Bucket=BUCKET, Key=f"{self.name}/{keys[0]}")["Body"]
        )
