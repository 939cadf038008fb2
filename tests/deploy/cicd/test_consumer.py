"""The template, from an empty folder by the commands of its README."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

import lab

TEMPLATE = lab.ROOT / "deploy/consumer"


class Consumer(unittest.TestCase):
    lab: lab.Lab

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.stop)

    def git(self, folder, *arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, "-C", folder, *arguments], check=True)

    def release(self):
        """A repository with the product, and the tag that the template names."""
        product = self.lab.directory / "product"
        for folder in ("scripts", "deploy"):
            shutil.copytree(
                lab.ROOT / folder,
                product / folder,
                ignore=shutil.ignore_patterns(".terraform*", "__pycache__", "build", "*.egg-info"),
            )
        (product / ".gitignore").write_text("/target\n")
        self.git(self.lab.directory, "init", "--quiet", str(product))
        self.git(product, "add", "--all")
        self.git(product, "commit", "--quiet", "--message", "A release")
        self.git(product, "tag", "v0.1.0")
        return product

    def test_from_an_empty_folder(self):
        checkout = lab.Checkout(self.lab, "template", project="template")
        product, team = self.release(), self.lab.directory / "team"
        shutil.copytree(TEMPLATE, team)
        shutil.copytree(
            lab.ROOT / "dbt", team / "dbt", ignore=shutil.ignore_patterns("target", "logs")
        )
        # Step 1: the scripts of the release, from where it lies here.
        readme = (team / "README.md").read_text()
        clone = re.search(r"git clone --depth 1 --branch (\S+) (\S+) (\S+)", readme)
        self.assertEqual((clone[1], clone[3]), ("v0.1.0", ".tools"))
        self.git(
            team.parent,
            "clone",
            "--quiet",
            "-c",
            "advice.detachedHead=false",
            "--branch",
            clone[1],
            product,
            team / ".tools",
        )
        main = (team / "main.tf").read_text()
        address = clone[2]
        self.assertEqual(main.count(address), 1)
        (team / "main.tf").write_text(main.replace(address, f"file://{product}"))
        # Step 2: the settings.
        settings = (team / "dev.tfvars").read_text()
        for name, value in (
            ("project", '"template"'),
            ("account_id", '"123456789012"'),
            ("schedules", "{}"),
        ):
            settings = re.sub(rf"(?m)^({name} += ).*", rf"\1{value}", settings)
        settings += 'dag_destination = "s3://template-airflow/dags"\n'
        (team / "dev.tfvars").write_text(settings)
        (team / "dev.s3.tfbackend").write_text(
            'bucket = "template-terraform"\nkey = "dev.tfstate"\nregion = "eu-west-1"\n'
            "use_lockfile = true\nuse_path_style = true\n"
            f'endpoints = {{ s3 = "{self.lab.aws}", sts = "{self.lab.aws}" }}\n'
        )
        self.git(team.parent, "init", "--quiet", str(team))
        self.git(team, "add", "--all")
        self.git(team, "commit", "--quiet", "--message", "Ours")
        environment = checkout.environment | {
            "LAB_STATE": "s3://template-terraform/dev.tfstate",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
        }

        # Steps 3 and 4, as they are written.
        commands = re.findall(r"(?m)^ +(\.tools/scripts/\S+ .*)$", readme)
        self.assertEqual(
            [line.split()[0] for line in commands],
            [
                ".tools/scripts/bootstrap",
                ".tools/scripts/deploy",
                ".tools/scripts/run",
            ],
        )
        for line in commands[:2]:
            result = checkout.run(*line.split(), "--yes", cwd=team, env=environment)
            self.assertEqual(result.returncode, 0, result.stdout)
        variable = json.loads((team / "target/deployment/dev/airflow_variable.json").read_text())
        self.assertEqual(variable["task_definition"], "dbt-template-dev")
        # The image is the team's, and what it is built from is its own folder.
        built = pathlib.Path(environment["LAB_DOCKER"]).read_text()
        self.assertTrue(built.rstrip().endswith(str(team)), built)
        self.assertNotIn("PROJECT=", built)
        tags = checkout.tags("dbt-template-dev")
        commit = checkout.run("git", "rev-parse", "--short=12", "HEAD", cwd=team).stdout.strip()
        self.assertEqual([tag.split("-")[0] for tag in tags], [commit])
        listed = checkout.run("aws", "s3", "ls", "s3://template-airflow/dags/").stdout
        self.assertEqual(
            [line.split()[-1] for line in listed.splitlines()],
            ["dbt.py", "dbt_entrypoint_airflow.py"],
        )
        module = checkout.run(
            "aws", "s3", "cp", "s3://template-airflow/dags/dbt_entrypoint_airflow.py", "-"
        ).stdout
        self.assertNotIn("\nbuild_dags()\n", module)
        self.assertIn("def build_dags(", module)

        # A name that the module does not have.
        text = (team / "main.tf").read_text()
        (team / "main.tf").write_text(
            text.replace("  schedules         =", "  shedules          =")
        )
        self.git(team, "commit", "--quiet", "--all", "--message", "A slip")
        result = checkout.run(
            *(".tools/scripts/deploy", "dev", "--root", ".", "--plan-only"),
            cwd=team,
            env=environment,
        )
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn('"shedules" is not expected here', result.stdout)
        (team / "main.tf").write_text(text)
        self.git(team, "commit", "--quiet", "--all", "--message", "Mended")
        result = checkout.run(
            *(".tools/scripts/deploy", "dev", "--root", ".", "--destroy", "--yes"),
            cwd=team,
            env=environment,
        )
        self.assertEqual(result.returncode, 0, result.stdout)
        listed = checkout.run("aws", "s3", "ls", "s3://template-airflow/dags/").stdout
        self.assertEqual(listed, "")

    def test_it_is_small(self):
        owned = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*") if path.is_file()}
        files = {
            *("Dockerfile", "main.tf", "dags/dbt.py", "dev.tfvars", "dev.s3.tfbackend"),
            ".github/workflows/dbt.yml",
        }
        self.assertEqual(owned, files | {"README.md", ".gitignore"})
        # All of one release: a team raises it in one commit.
        version = re.search(r'(?m)^version = "(.*)"', (lab.ROOT / "Cargo.toml").read_text())[1]
        for file in ("Dockerfile", "main.tf", ".github/workflows/dbt.yml", "README.md"):
            text = (TEMPLATE / file).read_text()
            self.assertEqual(
                set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+(?![\d.])", text)), {version}, file
            )
        self.assertLessEqual(len((TEMPLATE / "dags/dbt.py").read_text().splitlines()), 15)


if __name__ == "__main__":
    unittest.main()
