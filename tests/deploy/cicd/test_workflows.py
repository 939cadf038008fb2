"""What the workflows promise: who may do what, that only pinned code runs, that what was tested and
shown is what is deployed.

Each rule is a function that yields faults; `Rules` applies all of them to the workflows, and to
workflows that break one of them.
"""

import copy
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from typing import ClassVar

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
WORKFLOWS = ROOT / ".github/workflows"


def load():
    # YAML 1.1 reads the key `on` as true.
    return {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS.iterdir()}


def jobs(workflows):
    for file, workflow in workflows.items():
        for name, job in workflow["jobs"].items():
            yield f"{file}: {name}", job


def steps(workflows, uses=""):
    for place, job in jobs(workflows):
        for step in job.get("steps", []):
            if step.get("uses", "").startswith(uses):
                yield place, step


def strings(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    else:
        yield str(value)


def actions_are_pinned(workflows):
    known: dict[str, str] = {}
    for place, job in jobs(workflows):
        for uses in [job.get("uses"), *(step.get("uses") for step in job.get("steps", []))]:
            if uses is None or uses.startswith("./"):
                continue
            name, _, commit = uses.partition("@")
            if not re.fullmatch("[0-9a-f]{40}", commit):
                yield f"{place}: {uses} is not pinned by a commit"
            if known.setdefault(name, commit) != commit:
                yield f"{place}: {name} has two versions"


def permissions_are_least(workflows):
    allowed = {"contents": "read", "id-token": "write", "attestations": ("read", "write")}
    for file, workflow in workflows.items():
        if workflow.get("permissions") != {}:
            yield f"{file}: all jobs get permissions"
    for place, job in jobs(workflows):
        if not isinstance(job.get("permissions"), dict):
            yield f"{place}: no permissions of its own"
            continue
        # Who publishes a release, and nobody else, writes to the registry and the repository.
        published = {"contents": "write", "packages": "write"}
        more = published if place == "release.yml: publish" else {}
        for name, value in job["permissions"].items():
            if value != more.get(name) and (value not in allowed.get(name, ()) or not value):
                yield f"{place}: {name}: {value} is more than any job needs"
        roles = "uses" in job or any(
            step.get("uses", "").startswith(("aws-actions/", "actions/attest@"))
            for step in job["steps"]
        )
        if ("id-token" in job["permissions"]) != roles:
            yield f"{place}: an identity token that nothing uses, or the other way round"


# The login of private packages: for a team's build alone, none of whose layers holds it.
LOGIN = "${{ secrets.git_credentials }}"


def there_are_no_keys(workflows):
    for file, workflow in workflows.items():
        for text in strings(workflow):
            if text != LOGIN and re.search(r"secrets\.|access.key|session.token", text, re.I):
                yield f"{file}: {text}"
    holders = [(place, step) for place, step in steps(workflows) if LOGIN in strings(step)]
    told = [text for each in workflows.values() for text in strings(each)].count(LOGIN)
    runs = [step["run"] for place, step in holders if place == "consumer.yml: image"]
    if told != 1 or not any('--secret "id=git-credentials,env=' in run for run in runs):
        yield f"the login of private packages is in {holders}"
    for place, step in steps(workflows, "aws-actions/configure-aws-credentials@"):
        if not {"role-to-assume", "allowed-account-ids"} <= step["with"].keys():
            yield f"{place}: AWS without a role, or in any account"


def checkouts_leave_no_token(workflows):
    for place, step in steps(workflows, "actions/checkout@"):
        if step.get("with", {}).get("persist-credentials") is not False:
            yield f"{place}: the token stays in .git/config"


def scripts_hold_no_expressions(workflows):
    for place, step in steps(workflows):
        if "${{" in step.get("run", ""):
            yield f"{place}: an expression in a script is code: {step['run']}"


def nothing_runs_for_ever(workflows):
    for place, job in jobs(workflows):
        if "uses" not in job and not job.get("timeout-minutes", 0) <= 90:
            yield f"{place}: more than 90 minutes"
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"{place}: no timeout"


def strangers_get_nothing(workflows):
    for file, workflow in workflows.items():
        triggers = set(workflow[True]) if not isinstance(workflow[True], str) else {workflow[True]}
        # A schedule runs what is on the default branch.
        known = {"push", "pull_request", "schedule", "workflow_dispatch", "workflow_call"}
        for trigger in triggers - known:
            yield f"{file}: {trigger} runs with rights that a pull request must not have"


BUILDS = r"scripts/(test image|image\b(?!-))|docker build\b"


def the_image_is_built_once(workflows):
    builds = {place for place, step in steps(workflows) if re.search(BUILDS, step.get("run", ""))}
    if builds != {"ci.yml: image", "consumer.yml: image", "release.yml: image"}:
        yield f"the image is built in {builds}"
    # First the tests, then a team's project on the very layers that passed.
    runs = [
        step["run"]
        for step in workflows["ci.yml"]["jobs"]["image"]["steps"]
        if "scripts/" in step.get("run", "")
    ][-3:]
    wanted = [
        "scripts/test image",
        "scripts/image dbt-entrypoint:deploy",
        "scripts/image-archive target/image/image.tar dbt-entrypoint:deploy",
    ]
    if runs != wanted:
        yield f"what is kept is not what was tested: {runs}"
    for place, step in steps(workflows):
        if "PROJECT" in step.get("env", {}) and re.search(r"scripts/test\b", step.get("run", "")):
            yield f"{place}: the tests know the sample project only"
    for place, step in steps(workflows):
        if (
            re.search(r"(scripts|\$SCRIPTS)/deploy\b", step.get("run", ""))
            and "--archive target/image/image.tar" not in step["run"]
        ):
            yield f"{place}: deploys another image than the one that was built"


def builds_cannot_sign(workflows):
    for place, job in jobs(workflows):
        built = any(
            re.search(rf"scripts/test\b|{BUILDS}", step.get("run", ""))
            for step in job.get("steps", [])
        )
        if built and set(job.get("permissions", ())) - {"contents"}:
            yield (
                f"{place}: code that is built or tested there can sign in the name of the "
                f"repository"
            )


def deployments_wait(workflows):
    for file, before in (
        ("ci.yml", {"lint", "test", "image", "attest"}),
        ("consumer.yml", {"image"}),
    ):
        calls = {
            job["with"]["environment"]: job
            for job in workflows[file]["jobs"].values()
            if "uses" in job
        }
        if sorted(calls) != ["dev", "live"]:
            yield f"{file}: deployments to {sorted(calls)}"
        for environment, job in calls.items():
            needs = before | ({"deploy-dev"} if environment == "live" else set())
            told = job.get("needs", ())
            if ({told} if isinstance(told, str) else set(told)) != needs:
                yield f"{file}: {environment} does not wait for {needs}"
            if "github.ref == 'refs/heads/main'" not in job.get(
                "if", ""
            ) or "!= 'pull_request'" not in job.get("if", ""):
                yield f"{file}: {environment} is deployed from anywhere"
    deploy = workflows["deploy.yml"]["jobs"]
    if deploy["apply"].get("environment") != "${{ inputs.environment }}":
        yield "apply: nobody is asked, since it has no environment"
    if (
        deploy["apply"].get("needs") != ["plan", "approve"]
        or deploy["apply"].get("concurrency", {}).get("cancel-in-progress") is not False
    ):
        yield "apply: does not wait for its plan, or may be stopped half-way"
    # Who waits holds the place in the group, or is replaced by who comes next.
    gate = deploy.get("approve", {})
    if gate.get("environment") != "${{ inputs.environment }}-approval" or "concurrency" in gate:
        yield "approve: asks nobody, or holds up other deployments"
    if gate.get("needs") != "plan" or gate.get("permissions") != {}:
        yield "approve: is asked for before there is a plan, or may do something itself"


def a_release_is_what_was_tested(workflows):
    """On each kind of machine, with the sums by another way than the files."""
    image, publish = (workflows["release.yml"]["jobs"][name] for name in ("image", "publish"))
    kinds = {each["kind"] for each in image["strategy"]["matrix"]["include"]}
    if set(image.get("outputs", ())) != kinds or kinds != {"amd64", "arm64"}:
        yield "release: not for both kinds of machine, or without their sums"
    runs = [step.get("run", "") for step in image["steps"]]
    order = ["GITHUB_REF_NAME", "scripts/test image", "scripts/image dbt", "image-archive", "sums="]
    places = [next((at for at, run in enumerate(runs) if word in run), None) for word in order]
    if None in places or places != sorted(places) or places[-1] - places[-2] != 1:
        yield f"release: not in the order {order}"
    words = ["sha256sum --check --strict", "skopeo", "gh release create"]
    runs = [step.get("run", "") for step in publish["steps"]]
    places = [next((at for at, run in enumerate(runs) if word in run), None) for word in words]
    if None in places or places != sorted(places):
        yield "publish: takes any files"
    if publish.get("needs") != "image" or not publish.get("environment"):
        yield "publish: waits for nothing"
    if set(workflows["release.yml"][True]) != {"push"} or set(
        workflows["release.yml"][True]["push"]
    ) != {"tags"}:
        yield "release: of something else than a tag"


def a_teams_push_compiles_nothing(workflows):
    """It builds on a released image, and takes its scripts from the same release."""
    text = "\n".join(strings(workflows["consumer.yml"]))
    if re.search(r"cargo|rust|scripts/(test|image)\b(?!-)", text, re.I):
        yield "consumer: something is compiled, or tested that is not the team's"
    for name in ("tools", "version"):
        for job in ("deploy-dev", "deploy-live"):
            if (
                workflows["consumer.yml"]["jobs"][job]["with"].get(name)
                != f"${{{{ inputs.{name} }}}}"
            ):
                yield f"{job}: is not told the {name}"
    if "'.tools/scripts'" not in workflows["deploy.yml"]["env"].get("SCRIPTS", ""):
        yield "deploy: a team's repository has no scripts of its own"


def the_image_is_built_on_the_machine_of_the_settings(workflows):
    runner = "${{ needs.settings.outputs.runner }}"
    for file, reads in (("ci.yml", "scripts/architecture)"), ("consumer.yml", ARCHITECTURE)):
        jobs = workflows[file]["jobs"]
        if jobs["image"]["runs-on"] != runner or "settings" not in jobs["image"]["needs"]:
            yield f"{file}: built on one kind of machine, whatever the settings say"
        if not any(reads in step.get("run", "") for step in jobs["settings"]["steps"]):
            yield f"{file}: reads no settings"


ARCHITECTURE = ".tools/scripts/architecture ./*.tfvars)"


def a_team_builds_on_what_was_signed(workflows):
    steps = workflows["consumer.yml"]["jobs"]["image"]["steps"]
    words = ("gh attestation verify", "docker build")
    places = [
        next((at for at, step in enumerate(steps) if word in step.get("run", "")), None)
        for word in words
    ]
    if None in places or places != sorted(places):
        yield f"consumer: not in the order {words}"
    elif steps[places[1]].get("env", {}).get("BASE") != "${{ steps.base.outputs.digest }}":
        yield "consumer: builds on another image than the one that was verified"


def what_was_shown_is_applied(workflows):
    def runs(job):
        return [
            step.get("run") or step["uses"].partition("@")[0]
            for step in workflows["deploy.yml"]["jobs"][job]["steps"]
        ]

    for job, word in (("plan", "--plan-only"), ("apply", "--planned")):
        order = ["gh attestation verify", "aws-actions/configure-aws-credentials", word]
        if job == "apply":
            order = ["git/ref/", *order, "actions/upload-artifact"]
        places = [
            next((at for at, run in enumerate(runs(job)) if part in run), None) for part in order
        ]
        if None in places or places != sorted(places):
            yield f"{job}: not in the order {order}"
    uploads = {
        (place.partition(":")[0], step["with"]["name"])
        for place, step in steps(workflows, "actions/upload-artifact@")
    }
    for kept in (
        ("ci.yml", "image"),
        ("ci.yml", "dag"),
        ("consumer.yml", "image"),
        ("deploy.yml", "plan-${{ inputs.environment }}"),
        ("deploy.yml", "airflow-variable-${{ inputs.environment }}"),
    ):
        if kept not in uploads:
            yield f"{kept} is not kept"


def every_job_insists_on_the_archive_that_was_tested(workflows):
    """Actions of others run between the build and the signature, and what one job keeps for another
    is a file that they could replace: so the digest goes another way."""
    image = workflows["ci.yml"]["jobs"]["image"]
    if image.get("outputs") != {"archive": "${{ steps.archive.outputs.sha256 }}"}:
        yield "image: tells no digest"
    runs = [step.get("run", "") for step in image["steps"]]
    kept = next((at for at, run in enumerate(runs) if "scripts/image-archive" in run), None)
    after = image["steps"][kept + 1] if kept is not None else {}
    if after.get("id") != "archive" or "sha256sum target/image/image.tar" not in after["run"]:
        yield "image: something runs before the digest is taken"
    for place, job in jobs(workflows):
        told = "inputs.archive" if place.startswith("deploy.yml") else "needs.image.outputs.archive"
        if "uses" in job and job["with"].get("archive") != "${{ needs.image.outputs.archive }}":
            yield f"{place}: is not told the digest"
        steps = job.get("steps", [])
        for at, step in enumerate(steps):
            if not step.get("uses", "").startswith("actions/download-artifact@"):
                continue
            if step["with"].get("name") != "image":
                continue
            check = steps[at + 1]
            if check.get("env") != {"SHA256": f"${{{{ {told} }}}}"} or check.get("run") != CHECK:
                yield f"{place}: takes any archive"


CHECK = 'echo "$SHA256  target/image/image.tar" | sha256sum --check --strict'


def scripts_exist(workflows):
    for place, step in steps(workflows):
        for script in re.findall(r"(?:^|\s)(scripts/[\w-]+)", step.get("run", "")):
            if not os.access(ROOT / script, os.X_OK):
                yield f"{place}: there is no {script}"


RULES = [
    actions_are_pinned,
    permissions_are_least,
    there_are_no_keys,
    checkouts_leave_no_token,
    scripts_hold_no_expressions,
    nothing_runs_for_ever,
    strangers_get_nothing,
    the_image_is_built_once,
    builds_cannot_sign,
    deployments_wait,
    a_release_is_what_was_tested,
    a_teams_push_compiles_nothing,
    the_image_is_built_on_the_machine_of_the_settings,
    a_team_builds_on_what_was_signed,
    what_was_shown_is_applied,
    every_job_insists_on_the_archive_that_was_tested,
    scripts_exist,
]


def step(workflows, job, word, file="ci.yml"):
    return next(
        step
        for step in workflows[file]["jobs"][job]["steps"]
        if word in step.get("uses", "") + step.get("run", "")
    )


def breakages():
    """Each breaks one rule, in one place."""
    yield (
        actions_are_pinned,
        lambda w: step(w, "lint", "checkout").update(uses="actions/checkout@v7"),
    )
    yield (
        actions_are_pinned,
        lambda w: step(w, "lint", "checkout").update(uses="actions/checkout@" + 40 * "0"),
    )
    yield permissions_are_least, lambda w: w["ci.yml"].pop("permissions")
    yield permissions_are_least, lambda w: w["ci.yml"]["jobs"]["test"].pop("permissions")
    yield (
        permissions_are_least,
        lambda w: w["ci.yml"]["jobs"]["test"]["permissions"].update({"contents": "write"}),
    )
    yield (
        permissions_are_least,
        lambda w: w["ci.yml"]["jobs"]["test"]["permissions"].update({"packages": "write"}),
    )
    yield (
        permissions_are_least,
        lambda w: w["ci.yml"]["jobs"]["test"]["permissions"].update({"id-token": "write"}),
    )
    yield (
        there_are_no_keys,
        lambda w: step(w, "plan", "configure-aws", "deploy.yml")["with"].update(
            {"aws-access-key-id": "x"}
        ),
    )
    yield (
        there_are_no_keys,
        lambda w: step(w, "lint", "scripts/test").update(env={"X": "${{ secrets.X }}"}),
    )
    yield (
        there_are_no_keys,
        lambda w: step(w, "plan", "configure-aws", "deploy.yml")["with"].pop("role-to-assume"),
    )
    yield there_are_no_keys, lambda w: w["consumer.yml"].update(env={"LOGIN": LOGIN})
    yield (
        there_are_no_keys,
        lambda w: step(w, "image", "sqlfluff", "consumer.yml").update(env={"LOGIN": LOGIN}),
    )
    yield (
        there_are_no_keys,
        lambda w: step(w, "image", "docker build", "consumer.yml").update(
            run='docker build --build-arg "LOGIN=$GIT_CREDENTIALS" .'
        ),
    )
    yield checkouts_leave_no_token, lambda w: step(w, "image", "checkout").pop("with")
    yield (
        scripts_hold_no_expressions,
        lambda w: step(w, "lint", "scripts/test").update(run="echo ${{ github.head_ref }}"),
    )
    yield nothing_runs_for_ever, lambda w: w["ci.yml"]["jobs"]["test"].pop("timeout-minutes")
    yield (
        nothing_runs_for_ever,
        lambda w: w["ci.yml"]["jobs"]["test"].update({"timeout-minutes": 360}),
    )
    yield strangers_get_nothing, lambda w: w["ci.yml"][True].update({"pull_request_target": None})
    yield (
        the_image_is_built_once,
        lambda w: step(w, "test", "scripts/test unit").update(run="scripts/test image"),
    )
    yield (
        the_image_is_built_once,
        lambda w: step(w, "apply", "SCRIPTS/deploy", "deploy.yml").update(
            run="scripts/deploy dev --planned --yes"
        ),
    )
    yield (
        the_image_is_built_once,
        lambda w: step(w, "image", "scripts/image dbt").update(run="scripts/image"),
    )
    yield (
        the_image_is_built_once,
        lambda w: step(w, "image", "scripts/test image").update(env={"PROJECT": "warehouse"}),
    )
    yield (
        builds_cannot_sign,
        lambda w: w["ci.yml"]["jobs"]["image"]["permissions"].update({"attestations": "write"}),
    )
    yield deployments_wait, lambda w: w["ci.yml"]["jobs"]["deploy-dev"]["needs"].remove("attest")
    yield deployments_wait, lambda w: w["deploy.yml"]["jobs"]["apply"].pop("environment")
    yield deployments_wait, lambda w: w["deploy.yml"]["jobs"]["apply"].pop("needs")
    yield deployments_wait, lambda w: w["deploy.yml"]["jobs"]["apply"].update(needs=["plan"])
    yield (
        deployments_wait,
        lambda w: w["deploy.yml"]["jobs"]["approve"].update(concurrency="deploy-live"),
    )
    yield deployments_wait, lambda w: w["deploy.yml"]["jobs"]["approve"].pop("environment")
    machine = the_image_is_built_on_the_machine_of_the_settings
    yield machine, lambda w: w["ci.yml"]["jobs"]["image"].update({"runs-on": "ubuntu-24.04"})
    yield machine, lambda w: step(w, "settings", "scripts/architecture").update(run="true")
    yield (
        machine,
        lambda w: w["consumer.yml"]["jobs"]["image"].update({"runs-on": "ubuntu-24.04"}),
    )
    yield (
        machine,
        lambda w: step(w, "settings", "scripts/architecture", "consumer.yml").update(
            run="scripts/architecture"
        ),
    )
    signed = a_team_builds_on_what_was_signed
    yield signed, lambda w: step(w, "image", "gh attestation", "consumer.yml").update(run="true")
    yield signed, lambda w: step(w, "image", "docker build", "consumer.yml").pop("env")
    yield deployments_wait, lambda w: w["ci.yml"]["jobs"]["deploy-live"]["needs"].remove("test")
    yield deployments_wait, lambda w: w["ci.yml"]["jobs"]["deploy-dev"].pop("if")
    yield deployments_wait, lambda w: w["ci.yml"]["jobs"].pop("deploy-live")
    yield deployments_wait, lambda w: w["consumer.yml"]["jobs"]["deploy-dev"].pop("needs")
    released = a_release_is_what_was_tested
    yield released, lambda w: w["release.yml"]["jobs"]["image"].pop("outputs")
    yield (
        released,
        lambda w: step(w, "image", "scripts/test image", "release.yml").update(run="true"),
    )
    yield released, lambda w: step(w, "publish", "sha256sum", "release.yml").update(run="true")
    yield released, lambda w: w["release.yml"]["jobs"]["publish"].pop("environment")
    yield released, lambda w: w["release.yml"][True]["push"].update(branches=["main"])
    yield (
        permissions_are_least,
        lambda w: w["release.yml"]["jobs"]["image"]["permissions"].update({"contents": "write"}),
    )
    yield deployments_wait, lambda w: w["consumer.yml"]["jobs"]["deploy-live"].pop("if")
    yield (
        a_teams_push_compiles_nothing,
        lambda w: step(w, "image", "docker build", "consumer.yml").update(
            run=".tools/scripts/image"
        ),
    )
    yield a_teams_push_compiles_nothing, lambda w: w["deploy.yml"]["env"].update(SCRIPTS="scripts")
    yield (
        what_was_shown_is_applied,
        lambda w: step(w, "apply", "SCRIPTS/deploy", "deploy.yml").update(
            run='scripts/deploy "$ENVIRONMENT" --yes --archive target/image/image.tar'
        ),
    )
    yield (
        what_was_shown_is_applied,
        lambda w: step(w, "apply", "gh attestation", "deploy.yml").update(run="true"),
    )
    yield (
        what_was_shown_is_applied,
        lambda w: step(w, "apply", "git/ref/", "deploy.yml").update(run="true"),
    )
    yield (
        what_was_shown_is_applied,
        lambda w: step(w, "apply", "upload-artifact", "deploy.yml").update(uses="actions/checkout"),
    )
    yield (
        what_was_shown_is_applied,
        lambda w: step(w, "image", "upload-artifact")["with"].update(name="other"),
    )
    insists = every_job_insists_on_the_archive_that_was_tested
    yield insists, lambda w: w["ci.yml"]["jobs"]["image"].pop("outputs")
    yield insists, lambda w: w["ci.yml"]["jobs"]["image"]["steps"].insert(-5, {"uses": "x/y@1"})
    yield insists, lambda w: step(w, "attest", "sha256sum").update(run="true")
    yield insists, lambda w: step(w, "plan", "sha256sum", "deploy.yml").update(env={"SHA256": "x"})
    yield (
        insists,
        lambda w: w["deploy.yml"]["jobs"]["apply"]["steps"].remove(
            step(w, "apply", "sha256sum", "deploy.yml")
        ),
    )
    yield insists, lambda w: w["ci.yml"]["jobs"]["deploy-live"]["with"].pop("archive")
    yield (
        scripts_exist,
        lambda w: step(w, "lint", "scripts/test").update(run="scripts/no-such lint"),
    )


class Rules(unittest.TestCase):
    def test_the_workflows_keep_all_rules(self):
        workflows = load()
        self.assertEqual(
            sorted(workflows),
            ["ci.yml", "consumer.yml", "deploy.yml", "fuzz.yml", "matrix.yml", "release.yml"],
        )
        for rule in RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(list(rule(workflows)), [])

    def test_each_rule_finds_what_breaks_it(self):
        proven = set()
        for number, (rule, breakage) in enumerate(breakages()):
            with self.subTest(f"{number}: {rule.__name__}"):
                workflows = copy.deepcopy(load())
                breakage(workflows)
                self.assertNotEqual(list(rule(workflows)), [])
                proven.add(rule)
        self.assertEqual(proven, set(RULES))

    def test_only_the_newest_commit_is_deployed(self):
        guard = step(load(), "apply", "git/ref/", "deploy.yml")["run"]
        with tempfile.TemporaryDirectory() as directory:
            # What GitHub answers when it is asked for main.
            github = pathlib.Path(directory) / "gh"
            github.write_text(
                "#!/bin/sh\n"
                '[ "$*" = "api repos/acme/dbt/git/ref/heads/main --jq .object.sha" ] && echo '
                '"$NEWEST"\n'
            )
            github.chmod(0o755)
            for newest, code in (("1111", 0), ("2222", 1), ("", 1)):
                environment = {
                    "PATH": f"{directory}:{os.environ['PATH']}",
                    "NEWEST": newest,
                    "GITHUB_SHA": "1111",
                    "GITHUB_REPOSITORY": "acme/dbt",
                    "GITHUB_REF": "refs/heads/main",
                }
                result = subprocess.run(
                    ["bash", "-e", "-c", guard], env=environment, text=True, capture_output=True
                )
                self.assertEqual(result.returncode, code, result)
                self.assertEqual("main is at " + newest in result.stdout, code == 1, result)

    def run_step(self, step, directory, programs=(), **environment):
        """With these programs, each a script of sh, and what the step has set."""
        edge = pathlib.Path(directory) / "edge"
        edge.mkdir(exist_ok=True)
        for name, text in dict(programs).items():
            (edge / name).write_text(f"#!/bin/sh\n{text}\n")
            (edge / name).chmod(0o755)
        output = pathlib.Path(directory) / "output"
        output.write_text("")
        result = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=directory,
            env={"PATH": f"{edge}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)}
            | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return result.returncode, result.stdout, output.read_text()

    def test_a_team_builds_on_the_digest_that_was_verified(self):
        verify = step(load(), "image", "gh attestation", "consumer.yml")
        digest = "ghcr.io/acme/dbt-entrypoint@sha256:1234"
        docker = (
            'case "$*" in "pull --quiet ghcr.io/acme/dbt-entrypoint:0.1.0") ;;'
            f' "image inspect "*) echo {digest} ;; *) exit 9 ;; esac'
        )
        wanted = (
            f"attestation verify oci://{digest} --repo acme/dbt-entrypoint"
            " --source-ref refs/tags/v0.1.0"
        )
        told = {"TOOLS": "acme/dbt-entrypoint", "VERSION": "v0.1.0"}
        with tempfile.TemporaryDirectory() as directory:
            template = (ROOT / "deploy/consumer/Dockerfile").read_text()
            dockerfile = pathlib.Path(directory) / "Dockerfile"
            dockerfile.write_text(template.replace("OWNER", "acme"))
            for gh, code in ((f'[ "$*" = "{wanted}" ]', 0), ("exit 1", 1)):
                programs = {"docker": docker, "gh": gh}
                got, said, output = self.run_step(verify, directory, programs, **told)
                self.assertEqual(got, code, said)
                self.assertEqual(output, f"digest={digest}\n" if code == 0 else "")
                self.assertEqual("has not signed" in said, code != 0, said)

    def test_a_team_without_private_packages_needs_no_login(self):
        build = step(load(), "image", "docker build", "consumer.yml")
        secret = "--secret id=git-credentials,env=GIT_CREDENTIALS"
        with tempfile.TemporaryDirectory() as directory:
            for login in ("", "https://me:token@github.com"):
                code, said, _ = self.run_step(
                    build, directory, {"docker": 'echo "$*"'}, BASE="b@c", GIT_CREDENTIALS=login
                )
                self.assertEqual(code, 0, said)
                self.assertEqual(secret in said, login != "", said)
                self.assertNotIn("token", said)
                self.assertIn("--build-arg BASE=b@c ", said)

    def test_a_teams_runner_is_of_the_kind_of_its_settings(self):
        choose = step(load(), "settings", "scripts/architecture", "consumer.yml")
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / ".tools").symlink_to(ROOT)
            settings = pathlib.Path(directory) / "dev.tfvars"
            for text, runner in (
                ('project = "shop"\n', "ubuntu-24.04"),
                ('architecture = "X86_64"\n', "ubuntu-24.04"),
                ('architecture = "ARM64"\n', "ubuntu-24.04-arm"),
                ('architecture = "arm"\n', None),
            ):
                settings.write_text(text)
                code, said, output = self.run_step(choose, directory)
                self.assertEqual(code, 0 if runner else 1, said)
                self.assertEqual(output, f"runner={runner}\n" if runner else "")

    def test_a_release_holds_all_that_is_promised(self):
        workflows = load()
        keep, sums, check, release = (
            step(workflows, job, word, "release.yml")
            for job, word in (
                ("image", "docker create"),
                ("image", "sums="),
                ("publish", "sha256sum --check"),
                ("publish", "gh release create"),
            )
        )
        version = re.search(r'(?m)^version = "(.*)"', (ROOT / "Cargo.toml").read_text())[1]
        told = {"GITHUB_REF_NAME": f"v{version}", "GITHUB_REPOSITORY": "acme/dbt-entrypoint"}
        with tempfile.TemporaryDirectory() as directory:
            top = pathlib.Path(directory)
            shutil.copytree(
                ROOT / "deploy/airflow",
                top / "deploy/airflow",
                ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"),
            )
            (top / ".venv").symlink_to(ROOT / ".venv")
            (top / "scripts").mkdir()
            for name, text in (("venv", ""), ("image-archive", 'echo "$2" >"$1"')):
                (top / "scripts" / name).write_text(f"#!/bin/sh\n{text}\n")
                (top / "scripts" / name).chmod(0o755)
            docker = 'case $1 in create) echo c ;; cp) echo program >"$3" ;; esac'
            files = top / "target/release-files"
            sums_of = {}
            for kind in ("amd64", "arm64"):
                for each in (keep, sums):
                    code, said, output = self.run_step(
                        each, directory, {"docker": docker}, KIND=kind
                    )
                    self.assertEqual(code, 0, said)
                sums_of[kind.upper()] = output.partition("=")[2].strip()
                (files / f"sbom-{kind}.spdx.json").write_text("{}")
                files.rename(top / f"release-{kind}")
            files.mkdir()
            for kind in ("amd64", "arm64"):
                (top / f"release-{kind}").rename(files / f"release-{kind}")
            # What came another way is not taken.
            module = files / "release-amd64/dbt_entrypoint_airflow.py"
            text = module.read_text()
            module.write_text(text + "evil = 1\n")
            self.assertEqual(self.run_step(check, directory, **sums_of)[0], 1)
            module.write_text(text)
            self.assertEqual(self.run_step(check, directory, **sums_of)[0], 0)
            gh = 'printf "%s\\n" "$@"'
            code, said, _ = self.run_step(
                release, directory, {"gh": gh}, IMAGE="i", DIGEST="d", **told
            )
            self.assertEqual(code, 0, said)
            assets = said.partition("\n--\n")[2].split()
        self.assertEqual(
            set(assets),
            {
                *("SHA256SUMS", "dbt_ecs.py", "dbt_entrypoint_airflow.py"),
                f"dbt_entrypoint_airflow-{version}-py3-none-any.whl",
                *(f"dbt-entrypoint-linux-{kind}" for kind in ("amd64", "arm64")),
                *(f"sbom-{kind}.spdx.json" for kind in ("amd64", "arm64")),
            },
        )

    def test_another_archive_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            archive = pathlib.Path(directory) / "target/image/image.tar"
            archive.parent.mkdir(parents=True)
            archive.write_bytes(b"tested")
            right = hashlib.sha256(b"tested").hexdigest()
            for told, code in ((right, 0), (right[::-1], 1), ("", 1), ("no digest", 1)):
                result = subprocess.run(
                    ["bash", "-e", "-c", CHECK],
                    cwd=directory,
                    env={"PATH": os.environ["PATH"], "SHA256": told},
                    text=True,
                    capture_output=True,
                )
                self.assertEqual(result.returncode, code, (told, result))

    def test_the_tests_have_the_python_that_airflow_2_wants(self):
        first, last = map(
            int,
            re.search(
                r"install airflow2 (\d+) (\d+)", (ROOT / "tests/deploy/airflow/run").read_text()
            ).groups(),
        )
        version = step(load(), "test", "actions/setup-python@")["with"]["python-version"]
        self.assertIn(version, [f"3.{minor}" for minor in range(first, last + 1)])

    def test_every_pin_says_its_version(self):
        lines = [
            line
            for path in WORKFLOWS.iterdir()
            for line in path.read_text().splitlines()
            if re.search(r"uses: [^.]", line)
        ]
        self.assertGreater(len(lines), 10)
        for line in lines:
            self.assertRegex(line, r"@[0-9a-f]{40}  # v\d+\.\d+\.\d+$")


class Boundary(unittest.TestCase):
    def test_the_boundary_holds_all_that_the_roles_may(self):
        boundary = (ROOT / "deploy/bootstrap/policies/boundary.json").read_text()
        bounded = set()
        for statement in json.loads(boundary)["Statement"]:
            bounded |= (
                {statement["Action"]}
                if isinstance(statement["Action"], str)
                else set(statement["Action"])
            )
        given = set()
        for path in (ROOT / "deploy/terraform").glob("iam_*.tf"):
            for actions in re.findall(r"^ *actions *= (.*?\])$", path.read_text(), re.M | re.S):
                given |= set(re.findall(r'"(\w+:\w+)"', actions))
        # Who may take a role is said by the role's trust, which no boundary bounds.
        self.assertEqual(given - {"sts:AssumeRole"}, bounded)


class Plan(unittest.TestCase):
    """The role that plans runs scripts of whoever may push, so it reads settings and no data."""

    PREFIXES: ClassVar = {
        "cloudfront": "cloudfront",
        "cloudwatch_dashboard": "cloudwatch",
        "cloudwatch_event": "events",
        "cloudwatch_log": "logs",
        "cloudwatch_metric": "cloudwatch",
        "ecr": "ecr",
        "ecs": "ecs",
        "iam_role": "iam",
        "s3": "s3",
        "scheduler": "scheduler",
        "security_group": "ec2",
        "sqs": "sqs",
        "vpc": "ec2",
    }

    def statements(self):
        policy = (ROOT / "deploy/bootstrap/policies/plan.json").read_text()
        return json.loads(policy)["Statement"]

    def test_the_rights_read_settings_and_the_state_alone(self):
        for statement in self.statements():
            if ":s3:::${state_bucket}/" in str(statement["Resource"]):
                continue
            for action in statement["Action"]:
                self.assertRegex(action, r"^[a-z0-9]+:(Describe|Get|List)[A-Za-z]*\*?$")
                self.assertNotRegex(
                    action,
                    r"^(s3:GetObject|s3:Get\*|logs:Get|ecr:Get(\*|Down|Auth)|sqs:Rec|.*:\*$)"
                    r"|secretsmanager|ssm:|kms:Decrypt|glue:|cloudfront-keyvaluestore",
                )

    def test_they_reach_every_kind_of_resource_of_the_module(self):
        text = "".join(path.read_text() for path in (ROOT / "deploy/terraform").glob("*.tf"))
        kinds = set(re.findall(r'^resource "aws_(\w+)"', text, re.M))
        self.assertGreater(len(kinds), 20)
        given = {action.split(":")[0] for part in self.statements() for action in part["Action"]}
        for kind in kinds:
            service = next(self.PREFIXES[name] for name in self.PREFIXES if kind.startswith(name))
            self.assertIn(service, given, kind)


class Linters(unittest.TestCase):
    def listed(self, script):
        return shlex.split(re.search(r"^linters=\((.*)\)$", (ROOT / script).read_text(), re.M)[1])

    def test_ci_pre_commit_and_the_laptop_have_the_same(self):
        linters = self.listed("scripts/lint")
        self.assertEqual(linters, self.listed("scripts/test"))
        hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        self.assertEqual([repo["repo"] for repo in hooks], ["local"])
        self.assertEqual(
            [hook["entry"] for hook in hooks[0]["hooks"]],
            [f"scripts/lint {linter}" for linter in linters],
        )
        # Of a team's project, too, whose folder nobody knows here.
        (sql,) = [hook["files"] for hook in hooks[0]["hooks"] if hook["id"] == "sql"]
        for name in ("dbt/models/a.sql", "warehouse/models/a.sql", "warehouse/.sqlfluff"):
            self.assertRegex(name, sql)
        functions = re.findall(r"^lint_(\w+)\(\)", (ROOT / "scripts/lint").read_text(), re.M)
        self.assertEqual(functions, linters)
        self.assertIn("scripts/test lint ", step(load(), "lint", "scripts/test")["run"] + " ")

    def test_ci_runs_every_part(self):
        parts = set(
            re.search(r"^all=\((.*)\)$", (ROOT / "scripts/test").read_text(), re.M)[1].split()
        ) - {'"${linters[@]}"'}
        # What the others need runs before them.
        run = "\n".join(step.get("run", "") for _, step in steps(load()))
        called = {
            part for words in re.findall(r"scripts/test ([\w ]+)", run) for part in words.split()
        }
        self.assertEqual(parts - {"venv"}, called - {"lint"})


if __name__ == "__main__":
    unittest.main()
