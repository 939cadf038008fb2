"""The template, from an empty folder by the commands of its README, in their order.

The image is not built, and Terraform's provider is a stub: what it says that it made, the local AWS
is given as well. There the container of that task runs, the real runner with a dbt that does as it
is told.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import boto3
import docker.utils.build
import lab

AIRFLOW_TESTS = lab.ROOT / "tests/deploy/airflow"
sys.path.insert(0, str(AIRFLOW_TESTS))

from support import aws  # noqa: E402 What it is found by stands above.

TEMPLATE = lab.ROOT / "deploy/consumer"
ACCOUNT = "123456789012"
# What lies about on a laptop, in and beside a project.
LEFT = [
    *("dbt/.env", "dbt/prod.env", "dbt/.envrc", "dbt/.user.yml", "dbt/.venv/bin/python"),
    *("dbt/shop.duckdb", "dbt/shop.duckdb.wal", "dbt/target/manifest.json", "dbt/logs/dbt.log"),
    *("dbt/dbt_packages/dbt_utils/dbt_project.yml", "dbt/macros/.DS_Store", "dbt/venv/x"),
    *("dbt/macros/__pycache__/x.pyc", ".env", "target/deployment/dev/plan.tfplan"),
]


class Lab(lab.Lab):
    """With an ECS that runs containers."""

    def start_aws(self):
        server = subprocess.Popen(
            [
                *(lab.VENV / "python", AIRFLOW_TESTS / "lab/server.py"),
                *("--owner", str(os.getpid()), "--dir", self.directory),
            ],
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(server)
        ready = self.directory / "ready.json"
        aws.wait_for(ready.exists, "the local AWS")
        return json.loads(ready.read_text())["endpoint"]


def blocks(readme):
    """The lines of each block of shell."""
    found = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", readme)
    return [[line.strip() for line in block.splitlines()] for block in found]


class Consumer(unittest.TestCase):
    lab: Lab

    @classmethod
    def setUpClass(cls):
        os.environ.setdefault("DBT_ENTRYPOINT_BIN", str(lab.ROOT / "target/debug/dbt-entrypoint"))
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.stop)

    def git(self, folder, *arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, "-C", folder, *arguments], check=True)

    def release(self):
        """A repository with the product, and the tag that the template names."""
        product = self.lab.directory / "product"
        for folder in ("scripts", "deploy", "dbt"):
            shutil.copytree(
                lab.ROOT / folder,
                product / folder,
                ignore=shutil.ignore_patterns(
                    ".terraform*", "__pycache__", "build", "*.egg-info", "target", "logs"
                ),
            )
        (product / ".gitignore").write_text("/target\n")
        self.git(self.lab.directory, "init", "--quiet", str(product))
        self.git(product, "add", "--all")
        self.git(product, "commit", "--quiet", "--message", "A release")
        self.git(product, "tag", "v0.1.0")
        return product

    def programs(self):
        """GitHub and Airflow, as far as they are asked here."""
        edge = self.lab.directory / "edge"
        edge.mkdir()
        (edge / "gh").write_text('#!/bin/sh\necho \'{"id": 22, "owner": {"id": 11}}\'\n')
        (edge / "airflow").write_text(
            '#!/bin/sh\nfor word; do printf \'%s\\0\' "$word"; done >>"$HOME/airflow"\n'
        )
        for program in edge.iterdir():
            program.chmod(0o755)
        return edge

    def setUp(self):
        self.checkout = lab.Checkout(self.lab, "template", project="template")
        self.team = self.lab.directory / "team"
        self.team.mkdir()
        address = f"url.file://{self.release()}.insteadOf"
        self.environment = self.checkout.environment | {
            "PATH": f"{self.programs()}:{self.checkout.environment['PATH']}",
            "LAB_STATE": "s3://template-terraform/dev.tfstate",
            "RUN_POLL_SECONDS": "0.3",
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
        }
        # The release is where it lies here; what is written OWNER becomes acme on the way.
        for number, owner in ((1, "OWNER"), (2, "acme")):
            self.environment[f"GIT_CONFIG_KEY_{number}"] = address
            self.environment[f"GIT_CONFIG_VALUE_{number}"] = (
                f"https://github.com/{owner}/dbt-entrypoint.git"
            )
        for role in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{role}_NAME"] = "test"
            self.environment[f"GIT_{role}_EMAIL"] = "test@example.com"

    def run_line(self, line, code=0):
        """As it is written, but that nobody is asked."""
        if re.match(r"\.tools/scripts/(bootstrap|deploy) ", line) and "--plan-only" not in line:
            line += " --yes"
        result = self.checkout.run("bash", "-ec", line, cwd=self.team, env=self.environment)
        self.assertEqual(result.returncode, code, f"{line}\n{result.stdout}")
        return result.stdout

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.lab.aws,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def settings(self, **values):
        file = self.team / "dev.tfvars"
        text = file.read_text()
        for name, value in values.items():
            text, times = re.subn(
                rf"(?m)^(# )?{name}( +)= .*", rf"{name}\2= {json.dumps(value)}", text
            )
            self.assertEqual(times, 1, name)
        file.write_text(text)

    def fill_in(self):
        ec2 = self.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.settings(project="template", account_id=ACCOUNT, subnet_ids=[subnet])
        (self.team / "dev.s3.tfbackend").write_text(
            'bucket = "template-terraform"\nkey = "dev.tfstate"\nregion = "eu-west-1"\n'
            "use_lockfile = true\nuse_path_style = true\n"
            f'endpoints = {{ s3 = "{self.lab.aws}", sts = "{self.lab.aws}" }}\n'
        )

    def state(self):
        s3 = self.client("s3")
        body = s3.get_object(Bucket="template-terraform", Key="dev.tfstate")["Body"]
        return json.load(body)

    def attributes(self, state, kind):
        return [
            each["instances"][0]["attributes"]
            for each in state["resources"]
            if each["type"] == kind and each["mode"] == "managed"
        ]

    def groups(self):
        ec2 = self.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        return [
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
            for name in ("warehouse", "task")
        ]

    def make_what_the_state_says(self, group):
        """In the local AWS; of the task all but its image."""
        state = self.state()
        variable = state["outputs"]["airflow_variable"]["value"]
        (task,) = self.attributes(state, "aws_ecs_task_definition")
        (container,) = json.loads(task["container_definitions"])
        binary = pathlib.Path(os.environ["DBT_ENTRYPOINT_BIN"])
        shared = self.lab.directory / "container"
        shared.mkdir()
        own = {
            "DBT_PROJECT_DIR": self.team / "dbt",
            "DBT_ENTRYPOINT_DBT": binary.parent / "examples/fake_dbt",
            **dict.fromkeys(("HOME", "TMPDIR", "FAKE_DBT_DIR"), shared),
        }
        container |= {"entryPoint": [str(binary)], "memory": 512}
        container["command"] = container["command"] or ["run"]
        container["environment"] += [{"name": it, "value": str(own[it])} for it in own]
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName=variable["cluster"])
        ecs.register_task_definition(
            family=task["family"],
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            taskRoleArn=aws.TASK_ROLE,
            containerDefinitions=[container],
        )
        self.client("logs").create_log_group(logGroupName=variable["awslogs_group"])
        s3 = self.client("s3")
        region = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket="example-dbt-documentation-dev", CreateBucketConfiguration=region)
        login = {"JDBC_CONNECTION_URL": "jdbc:redshift://warehouse.example.com:5439/shop"}
        login |= {"USERNAME": "dbt", "PASSWORD": aws.PASSWORD}
        self.client("glue").create_connection(
            ConnectionInput={
                "Name": "redshift-dev",
                "ConnectionType": "JDBC",
                "ConnectionProperties": login,
            }
        )
        variable["security_groups"] = [group]
        s3.put_object(Bucket="template-terraform", Key="dev.tfstate", Body=json.dumps(state))

    def dags(self):
        listed = self.checkout.run("aws", "s3", "ls", "s3://template-airflow/dags/").stdout
        return [line.split()[-1] for line in listed.splitlines()]

    def test_from_an_empty_folder(self):
        shutil.copytree(
            lab.ROOT / "dbt",
            self.lab.directory / "shop",
            ignore=shutil.ignore_patterns("target", "logs"),
        )
        (self.lab.directory / "shop/.env").write_text("PASSWORD=secret\n")
        files, settings, state, first, schedule, github = blocks(
            (TEMPLATE / "README.md").read_text()
        )

        for line in files:
            self.run_line(line)
        named = re.compile("OWNER")
        for file in ("Dockerfile", "main.tf", ".github/workflows/dbt.yml"):
            self.assertNotRegex((self.team / file).read_text(), named, file)
        self.fill_in()
        # The lab has an account of its own.
        commit, account = settings
        self.assertIn("AWS_PROFILE", account)
        self.run_line(commit)
        tracked = self.run_line("git ls-files").splitlines()
        self.assertIn("dbt/dbt_project.yml", tracked)
        self.assertNotIn("dbt/.env", tracked)
        for line in state:
            self.run_line(line)

        plan, deploy, admit, run = first
        self.assertIn("aws_ecs_task_definition", self.run_line(plan))
        said = self.run_line(deploy)
        self.assertIn("security_group_id = ", said)
        self.assertEqual(self.attributes(self.state(), "aws_scheduler_schedule"), [])
        # The image is the team's, and what it is built from is its own folder.
        built = pathlib.Path(self.environment["LAB_DOCKER"]).read_text()
        self.assertTrue(built.rstrip().endswith(str(self.team)), built)
        self.assertNotIn("PROJECT=", built)
        tags = self.checkout.tags("dbt-template-dev")
        head = self.run_line("git rev-parse --short=12 HEAD").strip()
        self.assertEqual([tag.split("-")[0] for tag in tags], [head])
        warehouse, task = self.groups()
        admit = admit.replace("sg-OF-THE-WAREHOUSE", warehouse).replace("sg-OF-THE-TASK", task)
        # Version 1 of the aws CLI, which is the lab's, knows only this name.
        self.run_line(f"AWS_DEFAULT_REGION=eu-west-1 {admit}")
        self.make_what_the_state_says(task)
        closing = json.loads(self.run_line(run).splitlines()[-1])
        self.assertEqual((closing["status"], closing["exit_code"]), ("success", 0), closing)
        self.assertIn("example-dbt-documentation-dev/template", json.dumps(closing))

        self.run_line("git add .terraform.lock.hcl")
        self.settings(
            schedules={"nightly": {"expression": "cron(0 4 * * ? *)"}},
            airflow_role_arns=[f"arn:aws:iam::{ACCOUNT}:role/airflow"],
            dag_destination="s3://template-airflow/dags",
            airflow_settings={"schedule": "0 4 * * *"},
            docs_site={"enabled": True},
            alarms={"topic_arn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"},
        )
        self.run_line("git commit --quiet --all --message Schedule")
        said = self.run_line(deploy)
        self.assertIn("docs_site_url", said)
        self.assertEqual(len(self.attributes(self.state(), "aws_scheduler_schedule")), 1)
        self.run_line("\n".join(schedule))
        words = (self.lab.directory / "airflow").read_text().split("\0")
        self.assertEqual(words[:3], ["variables", "set", "dbt_ecs"])
        variable = json.loads(words[3])
        self.assertEqual(variable["task_definition"], "dbt-template-dev")
        self.assertEqual(words[4:7], ["connections", "add", variable["aws_connection_id"]])
        self.assertEqual(
            json.loads(words[10]), {"role_arn": variable["role_arn"], "region_name": "eu-west-1"}
        )
        self.assertEqual(self.dags(), ["dbt.py", "dbt_entrypoint_airflow.py"])
        source = "s3://template-airflow/dags/dbt_entrypoint_airflow.py"
        module = self.checkout.run("aws", "s3", "cp", source, "-").stdout
        self.assertNotIn("\nbuild_dags()\n", module)
        self.assertIn("def build_dags(", module)

        (bootstrap,) = github
        self.run_line("git remote add origin git@github.com:acme/shop.git")
        said = self.run_line(bootstrap)
        self.assertIn("gh variable set DEPLOY_TO --repo acme/shop", said)
        # The stub makes up ARNs that AWS does not have.
        (name,) = re.findall(r'(?m)^  permissions_boundary = ".*:(.*)"', said)
        boundary = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        self.settings(permissions_boundary=boundary)
        self.run_line("git commit --quiet --all --message Boundary")
        self.run_line(deploy)
        for role in self.attributes(self.state(), "aws_iam_role"):
            self.assertEqual(role["permissions_boundary"], boundary)

        self.refuses_what_it_does_not_know(plan)
        self.run_line(f"{bootstrap} --destroy")
        self.run_line(".tools/scripts/deploy dev --destroy --root .")
        self.assertEqual(self.dags(), [])

    def refuses_what_it_does_not_know(self, plan):
        for file, old, new, message in (
            ("main.tf", "  schedules   ", "  shedules    ", '"shedules" is not expected here'),
            ("dev.tfvars", "\nschedules ", "\nshedules ", "are all that can be set there"),
            ("dev.tfvars", "{ port = ", "{ prot = ", "warehouse: there is a name in it"),
        ):
            text = (self.team / file).read_text()
            self.assertIn(old, text)
            (self.team / file).write_text(text.replace(old, new))
            self.run_line("git commit --quiet --all --message Slip")
            self.assertIn(message, self.run_line(plan, code=1))
            (self.team / file).write_text(text)
            self.run_line("git commit --quiet --all --message Mended")
        said = self.run_line(".tools/scripts/deploy live --root .", code=1)
        for file in ("dev.tfvars", "dev.s3.tfbackend"):
            self.assertRegex(said, rf"is missing: copy \S+/{file}, and fill it in")


class Files(unittest.TestCase):
    def test_it_is_small(self):
        owned = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*") if path.is_file()}
        files = {
            *("Dockerfile", "main.tf", "dags/dbt.py", "dev.tfvars", "dev.s3.tfbackend"),
            ".github/workflows/dbt.yml",
        }
        self.assertEqual(owned, files | {"README.md", ".gitignore", ".dockerignore"})
        # All of one release: a team raises it in one commit.
        version = re.search(r'(?m)^version = "(.*)"', (lab.ROOT / "Cargo.toml").read_text())[1]
        for file in ("Dockerfile", "main.tf", ".github/workflows/dbt.yml", "README.md"):
            text = (TEMPLATE / file).read_text()
            self.assertEqual(
                set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+(?![\d.])", text)), {version}, file
            )
        self.assertLessEqual(len((TEMPLATE / "dags/dbt.py").read_text().splitlines()), 15)

    def test_what_lies_about_gets_into_neither_image_nor_git(self):
        with tempfile.TemporaryDirectory() as folder:
            team = pathlib.Path(folder)
            shutil.copytree(TEMPLATE, team, dirs_exist_ok=True)
            project = ["dbt/dbt_project.yml", "dbt/models/a.sql", "dbt/.dbtignore"]
            for name in [*project, *LEFT]:
                (team / name).parent.mkdir(parents=True, exist_ok=True)
                (team / name).write_text("x")
            ignored = (team / ".dockerignore").read_text().splitlines()
            patterns = [line for line in ignored if not line.startswith("#")]
            context = {
                path
                for path in docker.utils.build.exclude_paths(folder, patterns)
                if (team / path).is_file() and path not in ("Dockerfile", ".dockerignore")
            }
            self.assertEqual(context, set(project))
            subprocess.run(["git", "init", "--quiet", folder], check=True)
            command = ["git", "-C", folder, "ls-files", "--others", "--exclude-standard"]
            listed = subprocess.run(command, check=True, text=True, capture_output=True).stdout
            self.assertEqual(set(LEFT) & set(listed.splitlines()), set())

    def test_everything_of_the_readme_that_is_set_is_there(self):
        """In the settings, too, where a comment only has to lose its mark."""
        known = set(re.findall(r'(?m)^variable "(\w+)"', (TEMPLATE / "main.tf").read_text()))
        text = (TEMPLATE / "dev.tfvars").read_text()
        named = set(re.findall(r"(?m)^(?:# )?(\w+) += ", text))
        self.assertLess({"schedules", "docs_site", "alarms", "permissions_boundary"}, named)
        self.assertEqual(named - known, set())

    def test_objects_know_the_same_names_as_in_the_other_root(self):
        lists = re.compile(r'(?s)condition += length\(setsubtract\(.*?, (\[".*?\])\)\) == 0')
        ours, theirs = (
            [json.loads(found) for found in lists.findall((lab.ROOT / file).read_text())]
            for file in ("deploy/consumer/main.tf", "deploy/environment/variables.tf")
        )
        self.assertEqual(len(ours), 5)
        for each in ours:
            self.assertIn(each, theirs)


if __name__ == "__main__":
    unittest.main()
