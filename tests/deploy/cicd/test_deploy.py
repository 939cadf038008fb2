"""scripts/deploy, from its arguments to what is then in the registry, the state and the buckets."""

import base64
import functools
import hashlib
import json
import os
import pathlib
import pty
import re
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import lab

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def variables(text):
    return re.findall(r'(?ms)^variable "(\w+)" \{$(.*?)^\}$', text)


class PrivatePackages(unittest.TestCase):
    """What the image's build sets for git, and a server that wants to know who asks."""

    def clone(self, credentials):
        dockerfile = (lab.ROOT / "Dockerfile").read_text()
        (setting,) = re.findall(r"export (GIT_CONFIG_COUNT=1 .*?); \\\n", dockerfile, re.S)
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            (directory / "git-credentials").write_text(credentials)
            origin = directory / "served/package.git"
            identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
            work = directory / "work"
            commands: list[list[str | pathlib.Path]] = [
                ["init", "--quiet", work],
                [*identity, "-C", work, "commit", "--quiet", "--allow-empty", "-m", "x"],
                ["clone", "--quiet", "--bare", work, origin],
                ["-C", origin, "update-server-info"],
            ]
            for command in commands:
                subprocess.run(["git", *command], check=True)

            class Handler(SimpleHTTPRequestHandler):
                def do_GET(self):
                    wanted = "Basic " + base64.b64encode(b"ann:a-token").decode()
                    if self.headers["Authorization"] == wanted:
                        super().do_GET()
                    else:
                        self.send_response(401)
                        self.send_header("WWW-Authenticate", 'Basic realm="git"')
                        self.end_headers()

                def log_message(self, *_):
                    """What is asked for is of no interest."""

            server = ThreadingHTTPServer(
                ("127.0.0.1", 0),
                functools.partial(Handler, directory=str(directory / "served")),
            )
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"127.0.0.1:{server.server_port}"
            (directory / "git-credentials").write_text(credentials.format(address))
            place = str(directory / "git-credentials")
            script = f"export {setting.replace('/run/secrets/git-credentials', place)}\n"
            try:
                return subprocess.run(
                    ["bash", "-c", f"{script} git clone http://{address}/package.git {name}/got"],
                    env={"PATH": os.environ["PATH"], "HOME": name},
                    text=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=60,
                )
            finally:
                server.shutdown()
                server.server_close()

    def test_the_secret_opens_a_private_repository(self):
        result = self.clone("http://ann:a-token@{}\n")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertNotIn("a-token", result.stdout)

    def test_another_secret_does_not_and_nobody_is_asked(self):
        result = self.clone("http://ann:another@{}\n")
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertNotIn("another", result.stdout)


class Deploy(unittest.TestCase):
    lab: lab.Lab

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.stop)

    def checkout(self, **settings):
        # A project of its own has a repository of its own.
        name = self.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", "-")[:30].strip("-")
        return lab.Checkout(self.lab, name, f"dbt-{name}-dev", project=name, **settings)

    def passed(self, result):
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout

    def refused(self, result, *messages, code=1):
        self.assertEqual(result.returncode, code, result.stdout)
        for message in messages:
            self.assertIn(message, result.stdout)

    def digest(self, output):
        return next(
            line.split()[-1]
            for line in output.splitlines()
            if line.startswith("scripts/deploy: image sha256:")
        )

    def test_everything_from_nothing_and_again(self):
        checkout = self.checkout()
        first = self.passed(checkout.deploy("--yes"))
        digest = self.digest(first)
        self.assertIn("account 123456789012", first)
        # When the image was pushed there was its repository, and nothing that could start it.
        types, _ = checkout.state(checkout.environment["LAB_SEEN"])
        self.assertEqual(types, {"aws_ecr_repository"})
        types, image = checkout.state()
        self.assertIn("aws_ecs_task_definition", types)
        self.assertEqual(image, f"{ECR}/{checkout.repository}@{digest}")
        self.assertTrue(checkout.digest_in_registry(digest, checkout.repository))
        self.assertFalse(checkout.digest_in_registry("sha256:" + 64 * "0", checkout.repository))
        commit = checkout.run("git", "rev-parse", "--short=12", "HEAD").stdout.strip()
        self.assertEqual(checkout.tags(checkout.repository), [f"{commit}-{digest[7:19]}"])
        dag = checkout.run(
            "aws", "s3", "cp", f"s3://{checkout.name}-airflow/dags/dbt_ecs.py", "-"
        ).stdout
        made = checkout.run(lab.ROOT / "deploy/airflow/single-file").stdout
        self.assertEqual(dag, made)
        self.assertTrue(dag.endswith("\nbuild_dags()\n"))
        variable = json.loads(checkout.work("airflow_variable.json").read_text())
        self.assertEqual(variable["cluster"], f"dbt-{checkout.name}-dev")
        self.assertEqual(
            variable["aws_connection_id"], f"aws_dbt_{checkout.name}_dev".replace("-", "_")
        )
        self.assertIn("IT IS ANOTHER ONE THAN BEFORE", first)
        self.assertFalse(
            checkout.work("auth.json").exists(), "the login to the registry is left behind"
        )

        again = self.passed(checkout.deploy("--yes"))
        self.assertIn("No changes", again)
        self.assertNotIn("ANOTHER ONE THAN BEFORE", again)
        self.assertIn("in " + f"{ECR}/{checkout.repository} already", again)
        self.assertEqual(len(checkout.tags(checkout.repository)), 1)

    def test_the_plan_that_was_shown(self):
        checkout = self.checkout()
        old = self.digest(self.passed(checkout.deploy("--yes")))
        checkout.build(b"two")
        before = checkout.state()
        shown = self.passed(checkout.deploy("--plan-only"))
        new = self.digest(shown)
        self.assertNotEqual(old, new)
        self.assertIn(new, shown)
        self.assertEqual(checkout.state(), before)
        self.assertFalse(
            checkout.digest_in_registry(new, checkout.repository), "planning pushed the image"
        )
        plan = hashlib.sha256(checkout.work("plan.tfplan").read_bytes()).digest()
        self.passed(checkout.deploy("--planned", "--yes"))
        self.assertEqual(hashlib.sha256(checkout.work("plan.tfplan").read_bytes()).digest(), plan)
        self.assertEqual(checkout.state()[1], f"{ECR}/{checkout.repository}@{new}")
        # The same plan does not fit a state that has moved on.
        self.refused(checkout.deploy("--planned", "--yes"), "stale")

    def test_a_plan_for_another_image(self):
        checkout = self.checkout()
        self.passed(checkout.deploy("--plan-only"))
        checkout.build(b"two")
        self.passed(checkout.run("scripts/image-archive", "two.tar"))
        checkout.commit()
        self.refused(
            checkout.deploy("--planned", "--yes", "--archive", "two.tar"), "made for another image"
        )
        self.assertEqual(checkout.tags(checkout.repository), [])

    def answered(self, checkout, answer, *arguments):
        master, slave = pty.openpty()
        os.write(master, answer)
        try:
            return checkout.deploy(*arguments, stdin=slave)
        finally:
            os.close(slave)
            os.close(master)

    def test_the_question(self):
        checkout = self.checkout()
        self.refused(self.answered(checkout, b"y\n"), "nothing was changed", code=3)
        self.assertEqual(checkout.tags(checkout.repository), [])
        self.assertEqual(
            checkout.run("aws", "s3", "ls", f"s3://{checkout.name}-airflow/dags/").stdout, ""
        )
        self.passed(self.answered(checkout, b"yes\n"))
        self.assertEqual(len(checkout.tags(checkout.repository)), 1)

    def test_all_faults_at_once(self):
        checkout = self.checkout()
        (checkout.path / "deploy/environment/dev.tfvars").unlink()
        (checkout.path / "deploy/environment/dev.s3.tfbackend").unlink()
        tools = self.lab.directory / "tools"
        tools.mkdir()
        for tool in ("bash", "rm", "grep", "head", "dirname", "git", "jq", "env"):
            (tools / tool).symlink_to(lab.shutil.which(tool))
        environment = checkout.environment | {"PATH": str(tools)}
        self.refused(
            checkout.deploy("--archive", "none.tar", env=environment),
            "terraform is not on PATH",
            "skopeo is not on PATH",
            "aws is not on PATH",
            "dev.tfvars is missing",
            "dev.s3.tfbackend is missing",
            "there is no file",
            "none.tar",
            "nobody can be asked",
            "differ from the last commit",
        )
        self.refused(checkout.deploy("--planned", "--yes"), "nothing is planned")
        self.refused(checkout.deploy("--root", "nowhere", "--yes"), "there is no directory")

    def test_a_dirty_tree_only_if_told(self):
        checkout = self.checkout()
        (checkout.path / "deploy/new").touch()
        self.refused(checkout.deploy("--yes"), "commit them, or say --allow-dirty")
        self.passed(checkout.deploy("--plan-only", "--allow-dirty"))

    def test_an_image_for_another_machine(self):
        checkout = self.checkout()
        checkout.build(b"one", architecture="arm64")
        self.refused(checkout.deploy("--yes"), "built for ARM64", "runs on X86_64")
        self.assertEqual(checkout.tags(checkout.repository), [])

    def test_a_laptop_of_another_kind(self):
        """Seen before anything is built, with what helps."""
        checkout = self.checkout()
        built = pathlib.Path(checkout.environment["LAB_DOCKER"])
        laptop = checkout.environment | {"LAB_ARCH": "arm64"}
        self.refused(
            checkout.deploy("--yes", env=laptop),
            "the task runs on X86_64, and Docker would build for ARM64",
            "--platform linux/amd64",
            'architecture = "ARM64"',
        )
        self.assertFalse(built.exists(), "the image was built")
        self.passed(checkout.deploy("--plan-only", "--platform", "linux/amd64", env=laptop))
        self.assertIn("linux/amd64: build ", built.read_text())
        # The advice is good for CI, too: its runner is of the kind that the settings name.
        checkout.configure(project=checkout.name, architecture="ARM64")
        checkout.commit()
        checkout.build(b"one", architecture="arm64")
        self.passed(checkout.deploy("--plan-only", env=laptop))
        self.assertEqual(checkout.run("scripts/architecture").stdout, "ARM64\n")
        (checkout.path / "deploy/environment/live.tfvars").write_text("")
        result = checkout.run("scripts/architecture")
        self.assertEqual((result.returncode, "one image is built" in result.stdout), (1, True))

    def test_the_repository_is_never_deleted_on_the_way(self):
        checkout = self.checkout()
        self.passed(checkout.deploy("--yes"))
        checkout.configure(project=checkout.name, repository={"create": False})
        checkout.commit()
        self.refused(checkout.deploy("--yes"), "deletes the repository")
        self.assertIn("aws_ecr_repository", checkout.state()[0])

    def test_a_change_between_the_plan_and_the_rest_of_it(self):
        checkout = self.checkout()
        self.passed(checkout.deploy("--plan-only"))
        settings = checkout.path / "deploy/environment/dev.tfvars"
        settings.write_text(
            settings.read_text() + 'schedules = {nightly = {expression = "rate(1 day)"}}\n'
        )
        checkout.commit()
        self.refused(
            checkout.deploy("--planned", "--yes"),
            "another one than what was shown",
            "aws_scheduler_schedule",
        )
        self.assertEqual(checkout.state()[0], {"aws_ecr_repository"})
        self.assertEqual(checkout.tags(checkout.repository), [])

    def test_another_value_between_the_plan_and_the_rest_of_it(self):
        # The same resources as were shown, one of them with another value.
        checkout = self.checkout()
        self.passed(checkout.deploy("--plan-only"))
        settings = checkout.path / "deploy/environment/dev.tfvars"
        settings.write_text(settings.read_text() + "memory = 2048\n")
        checkout.commit()
        self.refused(
            checkout.deploy("--planned", "--yes"),
            "another one than what was shown",
            "module.dbt.aws_ecs_task_definition.this create, with other values",
        )
        self.assertEqual(checkout.state()[0], {"aws_ecr_repository"})

    def test_a_setting_that_nobody_knows(self):
        """Terraform takes it for a warning, or drops it without a word."""
        checkout = self.checkout(memroy=2048)
        self.refused(checkout.deploy("--yes"), "is not known", "memroy", "the variables in")
        self.assertFalse(checkout.work("plan.tfplan").exists(), "the plan could be applied")
        for settings, message in (
            ({"repository": {"keep_imges": 5}}, "repository: there is a name in it"),
            (
                {"security_group": {"vpc_id": "vpc-1", "egress": {"db": {"prot": 5439}}}},
                "security_group.egress: there is a name in it",
            ),
            ({"schedules": {"x": {"expresion": "rate(1 day)"}}}, "schedules: there is a name"),
            ({"task_role_statements": [{"action": ["s3:PutObject"]}]}, "task_role_statements"),
        ):
            with self.subTest(message):
                checkout.configure(project=checkout.name, **settings)
                checkout.commit()
                self.refused(checkout.deploy("--plan-only"), message)
        self.assertEqual(checkout.tags(checkout.repository), [])

    def test_all_that_the_module_takes_can_be_set(self):
        """The root hands on every variable of the module, and knows every name in its objects."""
        module = {
            name: (body, path.name)
            for path in (lab.ROOT / "deploy/terraform").glob("variables*.tf")
            for name, body in variables(path.read_text())
        }
        root = dict(variables((lab.ROOT / "deploy/environment/variables.tf").read_text()))
        call = (lab.ROOT / "deploy/environment/main.tf").read_text().partition('module "dbt" {')[2]
        self.assertGreater(len(module), 30)
        self.assertEqual(set(module) - set(re.findall(r"(?m)^  (\w+) +=", call)), set())
        self.assertEqual(set(module) - {"image"} - set(root), set())
        objects = 0
        for name, (body, _) in module.items():
            declared = re.search(r"(?ms)^  type += [a-z(]*object\(\{$(.*?)^  \}", body)
            short = re.search(r"(?m)^  type += object\(\{ (.*) \}\)$", body)
            if not (declared or short) or name == "image":
                continue
            objects += 1
            # What lies deeper is indented more.
            text = "    " + short[1] if short else declared[1]
            known = set(re.findall(r"(?m)^    (\w+) +=", text))
            told = re.search(r"setsubtract\(.*, \[(.*)\]\)\) == 0", root[name])
            self.assertIsNotNone(told, name)
            self.assertEqual(known, set(re.findall(r'"(\w+)"', told[1])), name)
        self.assertGreater(objects, 8)

    def test_the_lock_is_for_every_machine(self):
        """Made on a laptop of one kind, it has to do in CI and on laptops of another."""
        checkout = self.checkout()
        first = self.passed(checkout.deploy("--plan-only"))
        self.assertIn("locking the provider for linux_amd64 linux_arm64 darwin_amd64", first)
        lock = checkout.path / "deploy/environment/.terraform.lock.hcl"
        self.assertEqual(lock.read_text().count('"h1:'), len(lab.PLATFORMS))
        before = lock.read_bytes()
        again = self.passed(checkout.deploy("--plan-only"))
        self.assertNotIn("locking the provider", again)
        # One that was made for one machine alone is completed.
        lines = lock.read_text().splitlines(keepends=True)
        seen = [line for line in lines if '"h1:' in line]
        lock.write_text("".join(line for line in lines if line not in seen[1:]))
        self.passed(checkout.deploy("--plan-only"))
        self.assertEqual(lock.read_bytes(), before)
        # CI takes the one that was committed.
        checkout.commit()
        self.passed(checkout.deploy("--plan-only", env=checkout.environment | {"CI": "true"}))
        self.assertEqual(lock.read_bytes(), before)

    def test_a_lock_is_waited_for(self):
        checkout = self.checkout()
        lock = f"s3://{checkout.name}-state/dev.tfstate.tflock"
        checkout.run(
            "aws",
            "s3",
            "cp",
            "-",
            lock,
            input=json.dumps({"ID": "0", "Operation": "OperationTypeApply", "Who": "somebody"}),
            stdin=None,
            check=True,
        )
        process = subprocess.Popen(
            ["scripts/deploy", "dev", "--plan-only"],
            cwd=checkout.path,
            env=checkout.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        log, deadline = checkout.work("plan.log"), time.monotonic() + 120
        while not (log.exists() and "Acquiring state lock" in log.read_text()):
            self.assertIsNone(process.poll(), "it did not wait")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        checkout.run("aws", "s3", "rm", lock, check=True)
        output, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, output)

    def test_the_project_of_a_team(self):
        checkout = self.checkout()
        built = pathlib.Path(checkout.environment["LAB_DOCKER"])
        self.passed(checkout.deploy("--plan-only"))
        self.assertIn("--build-arg PROJECT=dbt ", built.read_text())
        commit = checkout.run("git", "rev-parse", "HEAD").stdout.strip()
        self.assertIn(f"--label org.opencontainers.image.revision={commit} ", built.read_text())
        built.unlink()
        self.passed(checkout.deploy("--plan-only", "--project", "warehouse/"))
        self.assertIn("--build-arg PROJECT=warehouse ", built.read_text())
        self.assertNotIn("image.source", built.read_text())
        built.unlink()
        self.passed(
            checkout.deploy(
                "--plan-only",
                env=checkout.environment
                | {"PROJECT": "warehouse", "GITHUB_REPOSITORY": "acme/dbt"},
            )
        )
        self.assertIn("--build-arg PROJECT=warehouse ", built.read_text())
        self.assertIn(
            "--label org.opencontainers.image.source=https://github.com/acme/dbt ",
            built.read_text(),
        )
        built.unlink()
        credentials = self.lab.directory / "git-credentials"
        credentials.write_text("https://ann:token@example.com\n")
        told = checkout.environment | {"GIT_CREDENTIALS": str(credentials)}
        self.passed(checkout.deploy("--plan-only", env=told))
        self.assertIn(f"--secret id=git-credentials,src={credentials} ", built.read_text())
        told["GIT_CREDENTIALS"] = "nowhere"
        self.refused(checkout.deploy("--plan-only", env=told), "there is no file nowhere", code=2)
        for name, message in [
            ("none", "holds no dbt project"),
            ("../dbt", "is not the name of a folder"),
            ("src", "folder of dbt-entrypoint itself"),
        ]:
            self.refused(checkout.deploy("--plan-only", "--project", name), message, code=2)

    def test_taking_it_down(self):
        checkout = self.checkout()
        self.passed(checkout.deploy("--yes"))
        self.refused(
            self.answered(checkout, b"no\n", "--destroy"),
            "to destroy",
            f"it removes s3://{checkout.name}-airflow/dags/dbt_ecs.py",
            "every DAG",
            "nothing was changed",
            code=3,
        )
        self.assertIn("aws_ecs_task_definition", checkout.state()[0])
        # The stub registers nothing in the local ECS: two revisions, and one of another family.
        for family in (f"dbt-{checkout.name}-dev", f"dbt-{checkout.name}-dev", "dbt-other-dev"):
            container = {"name": "dbt", "image": "x", "memory": 512}
            checkout.run(
                *("aws", "--region", "eu-west-1", "ecs", "register-task-definition"),
                *("--family", family),
                *("--container-definitions", json.dumps([container])),
                check=True,
            )
        self.passed(checkout.deploy("--destroy", "--yes"))
        self.assertEqual(checkout.state()[0], set())
        left = checkout.run(
            "aws", "--region", "eu-west-1", "ecs", "list-task-definitions", check=True
        ).stdout
        self.assertNotIn(f"dbt-{checkout.name}-dev", left)
        self.assertIn("dbt-other-dev", left)
        self.assertEqual(
            checkout.run("aws", "s3", "ls", f"s3://{checkout.name}-airflow/dags/").stdout, ""
        )

    def test_the_example_of_settings(self):
        checkout = self.checkout()
        root = checkout.path / "deploy/environment"
        (root / "dev.tfvars").write_text((root / "example.tfvars").read_text())
        checkout.commit()
        self.assertIn('"0 4 * * *"', self.passed(checkout.deploy("--plan-only")))

    def test_what_is_broken_is_named(self):
        checkout = self.checkout()
        nobody = checkout.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
        self.refused(
            checkout.deploy("--yes", env=nobody), "AWS does not know who you are", "aws sso login"
        )
        self.refused(
            checkout.deploy("--yes", "--archive", "Dockerfile"),
            "is not an OCI archive",
            "scripts/image-archive",
        )
        checkout.configure(project=checkout.name, credentials="redshift")
        checkout.commit()
        self.refused(checkout.deploy("--yes"), "credentials: give glue:NAME")
        checkout.configure(project=checkout.name, dag_destination="company-airflow")
        checkout.commit()
        self.refused(checkout.deploy("--yes"), "dag_destination: give s3://")
        self.assertEqual(checkout.tags(checkout.repository), [])

    def test_arguments(self):
        for arguments, message in [
            ([], "which environment"),
            (["Dev"], "'Dev' is not an environment's name"),
            (["dev", "live"], "one environment at a time"),
            (["dev", "--force"], "no option '--force'"),
            (["dev", "--archive"], "--archive needs a value"),
            (["dev", "--plan-only", "--destroy"], "exclude each other"),
        ]:
            result = subprocess.run(
                [lab.ROOT / "scripts/deploy", *arguments], text=True, capture_output=True
            )
            self.assertEqual(result.returncode, 2, result)
            self.assertIn(message, result.stderr)
        help_text = subprocess.run(
            [lab.ROOT / "scripts/deploy", "--help"], text=True, capture_output=True, check=True
        ).stdout
        for option in (
            "--plan-only",
            "--planned",
            "--destroy",
            "--yes",
            "--archive",
            "--platform",
            "--project",
            "--root",
            "--allow-dirty",
        ):
            self.assertIn(option, help_text)


if __name__ == "__main__":
    unittest.main()
