"""The servers that a run talks to, outside its control group: a local AWS, and PostgreSQL behind
the Redshift stand-in.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REGION = "eu-north-1"
BUCKET = "dbt-documentation-dev"
# moto takes any.
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


class Server:
    """One of the servers of the end-to-end tests, which end with the process that they are told to
    belong to.
    """

    def __init__(self, python: str, program: str, directory: pathlib.Path):
        directory.mkdir()
        # PostgreSQL runs as a user of its own, who has to find the way there.
        directory.chmod(0o755)
        log = directory.with_suffix(".log")
        command = [
            python,
            str(ROOT / program),
            "--owner",
            str(os.getpid()),
            "--dir",
            str(directory),
        ]
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 120
        while not (directory / "ready.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{program} does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
        self.ready = json.loads((directory / "ready.json").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Aws(Server):
    def __init__(self, work: pathlib.Path):
        super().__init__(sys.executable, "tests/e2e/support/aws_server.py", work / "aws")
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ready['port']}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **KEYS,
        }
        self.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def client(self, service: str):
        import boto3

        keys = {
            "aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(
            service, endpoint_url=self.environment["AWS_ENDPOINT_URL"], region_name=REGION, **keys
        )

    def connection(self, name: str, login: "Login") -> None:
        properties = {
            "JDBC_CONNECTION_URL": f"jdbc:redshift://127.0.0.1:{login.port}/{name}",
            "USERNAME": login.user,
            "PASSWORD": login.password,
        }
        connection = {"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": properties}
        self.client("glue").create_connection(ConnectionInput=connection)

    def published(self, project: str) -> set[str]:
        pages = (
            self.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=BUCKET, Prefix=f"{project}/")
        )
        return {
            entry["Key"].removeprefix(f"{project}/")
            for page in pages
            for entry in page.get("Contents", [])
        }


class Login:
    """To a warehouse that is reached without one."""

    port, user, password = 5439, "nobody", "bench-Password-1"


class Redshift(Server, Login):
    def __init__(self, work: pathlib.Path):
        super().__init__("python3", "tests/redshift_standin/serve.py", work / "redshift")
        self.port, self.user, self.password = (
            self.ready[key] for key in ("port", "user", "password")
        )

    def database(self, name: str, sql: str) -> None:
        """A new one, with what the SQL makes, which belongs to the user of the stand-in."""
        self.sql("postgres", f"create database {name} owner {self.user} template redshift")
        self.sql(name, f"set session authorization {self.user};\n{sql}")

    def sql(self, database: str, sql: str) -> None:
        command = [
            self.ready["psql"],
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-h",
            self.ready["socket"],
            "-p",
            str(self.ready["postgres_port"]),
            "-d",
            database,
        ]
        subprocess.run(command, input=sql, text=True, check=True, stdout=subprocess.DEVNULL)


def duckdb_database(path: pathlib.Path, sql: str) -> None:
    """In a process of its own: DuckDB lets one process alone write to a file. As an older DuckDB
    would write it, since dbt 2 has one.
    """
    program = (
        "import duckdb, sys; base = duckdb.connect(); "
        "base.execute(f\"attach '{sys.argv[1]}' as bench (storage_version 'v1.2.0')\"); "
        "base.execute('use bench'); base.execute(sys.stdin.read())"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], input=sql, text=True, check=True)
