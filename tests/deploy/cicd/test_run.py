"""scripts/run, on a local AWS whose ECS runs the real runner with a dbt that does as it is told."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import lab

AIRFLOW_TESTS = lab.ROOT / "tests/deploy/airflow"
sys.path.insert(0, str(AIRFLOW_TESTS))

from support import aws  # noqa: E402 What it is found by stands above.


class Run(unittest.TestCase):
    directory: pathlib.Path
    lab: aws.Lab

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="run-lab-")
        cls.addClassCleanup(folder.cleanup)
        cls.directory = pathlib.Path(folder.name)
        os.environ.setdefault("DBT_ENTRYPOINT_BIN", str(lab.ROOT / "target/debug/dbt-entrypoint"))
        server = subprocess.Popen(
            [
                *(lab.VENV / "python", AIRFLOW_TESTS / "lab/server.py"),
                *("--dir", cls.directory, "--owner", str(os.getpid())),
            ],
            stderr=subprocess.DEVNULL,
        )
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        ready = cls.directory / "ready.json"
        aws.wait_for(ready.exists, "the local AWS")
        addresses = json.loads(ready.read_text())
        cls.lab = aws.Lab(
            endpoint=addresses["endpoint"],
            credentials=addresses["credentials"],
            events_file=cls.directory / "events.jsonl",
        )
        cls.lab.client("s3").create_bucket(
            Bucket="state", CreateBucketConfiguration={"LocationConstraint": aws.REGION}
        )

    def setUp(self):
        self.project = aws.Project(
            lab=self.lab,
            name=self._testMethodName.removeprefix("test_").replace("_", "-")[:40],
            folder=self.directory / self._testMethodName,
            root=lab.ROOT,
        )
        self.root = self.directory / f"{self._testMethodName}-root"
        self.root.mkdir()
        key = f"{self.project.name}.tfstate"
        (self.root / "dev.s3.tfbackend").write_text(
            f'bucket = "state"\nkey = "{key}"\nregion = "{aws.REGION}"\n'
        )
        state = {"outputs": {"airflow_variable": {"value": self.project.settings()}}}
        self.lab.client("s3").put_object(Bucket="state", Key=key, Body=json.dumps(state))

    def aws_that(self, **answers):
        """An AWS CLI that answers these commands itself."""
        edge = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        cases = "".join(f'*" {command} "*) {answer} ;;\n' for command, answer in answers.items())
        program = edge / "aws"
        program.write_text(
            f'#!/bin/sh\ncase "$*" in\n{cases.replace("_", "-")}esac\nexec {lab.VENV}/aws "$@"\n'
        )
        program.chmod(0o755)
        return edge

    def start(self, *arguments, edge=lab.VENV, seconds="0.3"):
        return subprocess.Popen(
            [lab.ROOT / "scripts/run", "--root", self.root, "dev", *arguments],
            env={
                "PATH": f"{edge}:{lab.VENV}:{os.environ['PATH']}",
                "HOME": str(self.directory),
                "AWS_ENDPOINT_URL": self.lab.endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "RUN_POLL_SECONDS": seconds,
            },
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # What a shell starts in the background ignores SIGINT, and so would all below it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def test_a_run_to_its_end(self):
        process = self.start("--select", "orders+ 'x y'", "--steps", "run,test")
        out, err = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 0, err)
        line = json.loads(out.splitlines()[-1])
        self.assertEqual((line["status"], line["exit_code"]), ("success", 0))
        # Once, and in order.
        self.assertEqual(out.count(line["run_id"] + '"'), 1)
        self.assertIn("orders+ 'x y'", self.project.calls()[0]["args"])
        self.assertEqual([call["step"] for call in self.project.calls()], ["run", "test"])

    def test_the_code_is_the_runs(self):
        self.project.script(("run", "exit", "1"))
        process = self.start()
        out, err = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(json.loads(out.splitlines()[-1])["status"], "failed")

    def test_a_run_that_never_began(self):
        self.project.entry_point = ["/nowhere"]
        self.project.register()
        process = self.start()
        _, err = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("it has no exit code: TaskFailedToStart; CannotStartContainer", err)

    def test_it_is_stopped_in_order(self):
        ready = self.project.hang()
        process = self.start()
        # The container may have begun before ECS's answer is read; either way it is stopped.
        aws.wait_for(ready.exists, "dbt's start")
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 143, err)
        # What came after the signal is shown, too.
        self.assertEqual(json.loads(out.splitlines()[-1])["status"], "cancelled")
        (stop,) = self.lab.events("stop_task", task=self.project.tasks()[0]["task"])
        self.assertEqual(stop["reason"], "stopped by scripts/run")

    def test_it_is_stopped_while_it_is_started(self):
        """As soon as ECS has it, and before its answer may have been read."""
        self.project.hang()
        process = self.start()
        (task,) = aws.wait_for(self.project.tasks, "the task")
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=180)
        # It had begun, or had not.
        self.assertIn(process.returncode, (143, 1), err)
        self.assertEqual(len(self.lab.events("stop_task", task=task["task"])), 1, err)

    def test_who_cannot_look_at_it_any_more_is_told(self):
        forgotten = json.dumps({"tasks": [], "failures": [{"reason": "MISSING"}]})
        refused = "echo ExpiredTokenException >&2; exit 254"
        for name, answers, said in (
            ("forgotten", {"describe_tasks": f"echo '{forgotten}'; exit"}, "MISSING"),
            ("refused", dict.fromkeys(("describe_tasks", "get_log_events"), refused), "Expired"),
        ):
            with self.subTest(name):
                process = self.start(edge=self.aws_that(**answers), seconds="0.05")
                _, err = process.communicate(timeout=180)
                self.assertEqual(process.returncode, 1, err)
                self.assertIn("ECS tells nothing of arn:", err)
                self.assertIn(said, err)
                self.assertIn(f"log group {self.project.log_group}, stream ecs/dbt/", err)

    def test_who_may_not_stop_it_follows_it(self):
        ready = self.project.hang()
        process = self.start(edge=self.aws_that(stop_task="echo AccessDenied >&2; exit 254"))
        aws.wait_for(ready.exists, "dbt's start")
        os.kill(process.pid, signal.SIGINT)
        said = []
        for line in process.stderr:
            said.append(line)
            if "could not be stopped" in line:
                break
        self.assertIn("AccessDenied\n", said)
        (task,) = self.project.tasks()
        self.lab.client("ecs").stop_task(cluster="lab", task=task["task"])
        out, err = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 143, err)
        self.assertEqual(json.loads(out.splitlines()[-1])["status"], "cancelled")

    def test_what_is_missing_is_named(self):
        (self.root / "dev.s3.tfbackend").write_text(
            f'bucket = "state"\nkey = "none"\nregion = "{aws.REGION}"\n'
        )
        process = self.start()
        _, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, "cannot be read" in err), (1, True), err)


if __name__ == "__main__":
    unittest.main()
