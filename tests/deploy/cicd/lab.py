"""What scripts/deploy meets in the tests: a copy of the project, a local AWS (moto), a registry
with a password, images.

Terraform is real, with the stub of the AWS provider that the tests of the module have
(`tests/deploy/terraform/run stub` installs it); so are the aws CLI, skopeo and the registry. Only
the registry's name is another one than ECR's (edge/skopeo), and no image is built (edge/docker).
"""

import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
VENV = ROOT / ".venv/bin"
STUB = ROOT / "tests/deploy/terraform/stub/provider.py"
STUB_BUILT = ROOT / "target/deploy/terraform"
REPOSITORY = "dbt-shop"
# What the local AWS gives for a login to ECR, and its bcrypt hash.
PASSWORD = "123456789012-auth-token"
HTPASSWD = "AWS:$2b$04$aYCTLqmAPpJ1ZirVpewU5.2Ym2Sfn2Y8nEgpTx3/pFyBfWocKwoFK\n"


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for(process, url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not answer at {url}")


def image_archive(path, content, architecture="amd64"):
    """An image with one file in it, as `docker save` writes it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    layer = packed.getvalue()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()],
            },
        }
    ).encode()
    manifest = json.dumps(
        [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    ).encode()
    with tarfile.open(path, "w") as tar:
        for name, data in (
            ("manifest.json", manifest),
            ("config.json", config),
            ("layer.tar", layer),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


# The kinds of machine that people and CI have.
PLATFORMS = ["darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"]


def mirror_provider(folder):
    """Packages of a provider that can be locked, and not run, in the place of the registry."""
    place = folder / "registry.terraform.io/hashicorp/aws"
    place.mkdir(parents=True)
    for platform in PLATFORMS:
        name = place / f"terraform-provider-aws_6.69.1_{platform}.zip"
        with zipfile.ZipFile(name, "w") as package:
            package.writestr("terraform-provider-aws_v6.69.1", platform)


class Lab:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="deploy-lab-"))
        self.processes = []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        self.aws = self.start_aws()
        registry = free_port()
        self.registry = f"127.0.0.1:{registry}"
        (self.directory / "htpasswd").write_text(HTPASSWD)
        (self.directory / "registry.yml").write_text(
            json.dumps(
                {
                    "version": "0.1",
                    "log": {"level": "error"},
                    "storage": {"filesystem": {"rootdirectory": str(self.directory / "registry")}},
                    "http": {"addr": self.registry},
                    "auth": {
                        "htpasswd": {"realm": "ecr", "path": str(self.directory / "htpasswd")}
                    },
                }
            )
        )
        self.spawn(
            f"http://{self.registry}/v2/",
            "docker-registry",
            "serve",
            self.directory / "registry.yml",
        )
        self.provider = self.spawn_provider()
        mirror_provider(self.directory / "mirror")
        # Nothing else is to be had, from this machine or from a network.
        (self.directory / "terraformrc").write_text(
            f'provider_installation {{\n  filesystem_mirror {{ path = "{self.directory}" }}\n}}\n'
        )

    def start_aws(self):
        """Where it is reached."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self.spawn(f"{url}/moto-api/", VENV / "moto_server", "-H", "127.0.0.1", "-p", str(port))
        return url

    def spawn_provider(self):
        """One provider for all calls, since its start takes longer than a plan. It says how it is
        reached.
        """
        environment = os.environ | {
            "TF_STUB_SCHEMA": str(STUB_BUILT / "schema.json"),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self.directory),
        }
        process = subprocess.Popen(
            [STUB_BUILT / "venv-stub/bin/python", STUB, "--dev"],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.processes.append(process)
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line):
                return found[1]
        raise RuntimeError(f"the stub provider ended: {said}")

    def spawn(self, url, *command):
        with open(self.directory / "servers.log", "ab") as log:
            self.processes.append(
                subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
            )
        wait_for(self.processes[-1], url)

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()
        shutil.rmtree(self.directory)


class Checkout:
    """A clone of its own for one test, whose state and buckets nobody else has."""

    def __init__(self, lab, name, repository=None, **settings):
        self.lab, self.name, self.repository = lab, name, repository
        self.path = lab.directory / name
        self.environment = {
            "PATH": f"{HERE / 'edge'}:{VENV}:{os.environ['PATH']}",
            "HOME": str(lab.directory),
            "TF_CLI_CONFIG_FILE": str(lab.directory / "terraformrc"),
            "TF_REATTACH_PROVIDERS": lab.provider,
            "TF_CLI_ARGS_providers_lock": f"-fs-mirror={lab.directory / 'mirror'}",
            "CHECKPOINT_DISABLE": "1",
            "AWS_ENDPOINT_URL": lab.aws,
            "AWS_REGION": "eu-west-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LAB_REGISTRY": lab.registry,
            "LAB_SKOPEO": shutil.which("skopeo"),
            "LAB_STATE": f"s3://{name}-state/dev.tfstate",
            "LAB_SEEN": str(lab.directory / f"{name}-seen.json"),
            "LAB_IMAGE": str(lab.directory / f"{name}-docker.tar"),
            "LAB_DOCKER": str(lab.directory / f"{name}-docker.txt"),
        }
        for folder in ("scripts", "deploy"):
            shutil.copytree(
                ROOT / folder,
                self.path / folder,
                ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__"),
            )
        for file in (".gitignore", "Dockerfile", "Cargo.toml"):
            shutil.copy(ROOT / file, self.path)
        for folder in ("dbt", "warehouse"):
            (self.path / folder).mkdir()
            (self.path / folder / "dbt_project.yml").write_text(f"name: {folder}\n")
        self.configure(**settings)
        self.git("init", "--quiet")
        self.commit()
        self.build(b"one")
        for bucket in (f"{name}-state", f"{name}-airflow"):
            self.run("aws", "s3", "mb", f"s3://{bucket}", check=True)

    def configure(self, **settings):
        # Every test has a repository of its own, too, though they share a registry.
        root = self.path / "deploy/environment"
        values = {
            "project": "shop",
            "account_id": "123456789012",
            "region": "eu-west-1",
            "security_group": {"vpc_id": "vpc-0123456789abcdef0"},
            "subnet_ids": ["subnet-0123456789abcdef0"],
            "credentials": "glue:redshift",
            "redshift_schema": "shop",
            "dag_destination": f"s3://{self.name}-airflow/dags",
        } | settings
        (root / "dev.tfvars").write_text(
            "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        )
        (root / "dev.s3.tfbackend").write_text(
            f'bucket = "{self.name}-state"\nkey = "dev.tfstate"\nregion = "eu-west-1"\n'
            f"use_lockfile = true\nuse_path_style = true\n"
            f'endpoints = {{ s3 = "{self.lab.aws}", sts = "{self.lab.aws}" }}\n'
        )

    def git(self, *arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.path,
            check=True,
            env=os.environ | {"HOME": str(self.lab.directory)},
        )

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def build(self, content, architecture="amd64"):
        image_archive(self.environment["LAB_IMAGE"], content, architecture)

    def run(self, *command, check=False, **options):
        options = {
            "cwd": self.path,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
        } | options
        return subprocess.run(command, check=check, text=True, stderr=subprocess.STDOUT, **options)

    def deploy(self, *arguments, **options):
        return self.run("scripts/deploy", "dev", *arguments, **options)

    def work(self, name):
        return self.path / "target/deployment/dev" / name

    def state(self, source=None):
        """The types of the resources that are there, and the image of the task, as the state at
        `source` has them.
        """
        text = (
            pathlib.Path(source).read_text()
            if source
            else self.run("aws", "s3", "cp", f"s3://{self.name}-state/dev.tfstate", "-").stdout
        )
        resources = [each for each in json.loads(text)["resources"] if each["mode"] == "managed"]
        tasks = [
            each["instances"][0]["attributes"]
            for each in resources
            if each["type"] == "aws_ecs_task_definition"
        ]
        image = json.loads(tasks[0]["container_definitions"])[0]["image"] if tasks else None
        return {each["type"] for each in resources}, image

    def tags(self, repository=REPOSITORY):
        found = self.run(
            self.environment["LAB_SKOPEO"],
            "list-tags",
            "--tls-verify=false",
            f"--creds=AWS:{PASSWORD}",
            f"docker://{self.lab.registry}/{repository}",
        )
        return json.loads(found.stdout)["Tags"] if found.returncode == 0 else []

    def digest_in_registry(self, digest, repository=REPOSITORY):
        return (
            self.run(
                self.environment["LAB_SKOPEO"],
                "inspect",
                "--raw",
                "--tls-verify=false",
                f"--creds=AWS:{PASSWORD}",
                f"docker://{self.lab.registry}/{repository}@{digest}",
            ).returncode
            == 0
        )
