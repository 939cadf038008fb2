"""scripts/deploy, from its arguments to what is then in the registry, the state and the buckets."""

import hashlib
import json
import os
import pathlib
import pty
import subprocess
import time
import unittest

import lab

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


class Deploy(unittest.TestCase):
    lab: lab.Lab

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.stop)

    def checkout(self, **settings):
        # A project of its own has a repository of its own.
        name = self.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", "-")[:30].strip("-")
        return lab.Checkout(self.lab, name, f"dbt-{name}", project=name, **settings)

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
        self.assertEqual(dag, (lab.ROOT / "deploy/airflow/dbt_ecs.py").read_text())
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

    def test_the_repository_is_never_deleted_on_the_way(self):
        checkout = self.checkout()
        self.passed(checkout.deploy("--yes"))
        checkout.configure(project=checkout.name, create_repository=False)
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
        self.passed(checkout.deploy("--destroy", "--yes"))
        self.assertEqual(checkout.state()[0], set())
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
            (["dev", "--archive"], "--archive needs a file"),
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
            "--project",
            "--root",
            "--allow-dirty",
        ):
            self.assertIn(option, help_text)


if __name__ == "__main__":
    unittest.main()
