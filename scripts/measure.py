"""Measures one build of dbt-entrypoint for scripts/bench, which says what the parts mean.

Times and memory are those of the runner's own process, as the kernel counts them; dbt is a shell
script that does next to nothing.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
REGION = "eu-north-1"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
PASSWORD = "bench-Password-1"
BUCKET = "dbt-documentation-dev"
# A login that needs no AWS.
LOGIN = {
    "DBT_ENTRYPOINT_CREDENTIALS": "env",
    "ENV": "local",
    "DBT_REDSHIFT_HOST": "h",
    "DBT_REDSHIFT_USER": "ada",
    "DBT_REDSHIFT_PASSWORD": PASSWORD,
    "DBT_REDSHIFT_DB": "d",
    "DBT_REDSHIFT_SCHEMA": "s",
}

# What dbt leaves behind, and when its first step began.
SCRIPT = """#!/bin/bash
[ -e "$BENCH/began" ] || echo "$EPOCHREALTIME" > "$BENCH/began"
mkdir -p target
case $1 in
    run | test) cp "$BENCH/run_results.json" target/ ;;
    docs) cp -r "$BENCH/docs/." target/ ;;
esac
exit 0
"""


class Bench:
    def __init__(self, runner: pathlib.Path, s3: pathlib.Path, work: pathlib.Path):
        self.runner, self.s3, self.work = runner, s3, work
        self.rows: list[tuple[str, str, str]] = []
        self.project = work / "project"
        self.project.mkdir()
        (self.project / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
        (self.project / "profiles.yml").write_text(
            "shop: {target: dev, outputs: "
            "{dev: {pass: \"{{ env_var('DBT_REDSHIFT_PASSWORD') }}\"}}}\n"
        )
        results = [
            {
                "unique_id": f"model.shop.m{i}",
                "status": "success",
                "message": "SELECT",
                "timing": [],
            }
            for i in range(100)
        ]
        (work / "run_results.json").write_text(json.dumps({"metadata": {}, "results": results}))
        self.docs(1, 4096)

    def row(self, what: str, figure: str, goal: str) -> None:
        print(f"{what}: {figure} (goal: {goal})", file=sys.stderr, flush=True)
        self.rows.append((what, figure, goal))

    def docs(self, count: int, size: int) -> None:
        """What `docs generate` will write: so many small files beside the three of the site."""
        docs = self.work / "docs"
        shutil.rmtree(docs, ignore_errors=True)
        (docs / "compiled").mkdir(parents=True)
        for name in ["catalog.json", "manifest.json", "index.html"]:
            (docs / name).write_bytes(b"x" * size)
        for index in range(count):
            (docs / "compiled" / f"{index:03}.json").write_bytes(b"x" * size)

    def dbt(self, script: str) -> pathlib.Path:
        program = self.work / "dbt"
        program.write_text(script)
        program.chmod(0o755)
        return program

    def run(
        self,
        arguments: list[str],
        dbt: str = SCRIPT,
        variables: dict[str, str] | None = None,
        wrapper: list[str] | None = None,
        stdout=subprocess.DEVNULL,
    ) -> "Measured":
        for name in ["target", "logs"]:
            shutil.rmtree(self.project / name, ignore_errors=True)
        (self.work / "began").unlink(missing_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work),
            "BENCH": str(self.work),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
            **KEYS,
            **(variables or {}),
        }
        command = [
            *(wrapper or []),
            str(self.runner),
            "run",
            "--dbt",
            str(self.dbt(dbt)),
            *arguments,
        ]
        return Measured(command, environment, self.project, stdout, self.work / "stderr")

    def aws(self) -> dict[str, str]:
        """A local AWS with a Glue Connection and a bucket."""
        folder = self.work / "aws"
        folder.mkdir()
        start(
            ["tests/e2e/support/aws_server.py", "--owner", str(os.getpid()), "--dir", str(folder)],
            cwd=ROOT,
            python=True,
        )
        until("the local AWS", (folder / "ready.json").exists)
        url = f"http://127.0.0.1:{json.loads((folder / 'ready.json').read_text())['port']}"
        properties = {
            "JDBC_CONNECTION_URL": "jdbc:redshift://127.0.0.1:5439/dev?currentSchema=s",
            "USERNAME": "ada",
            "PASSWORD": PASSWORD,
        }
        connection = {
            "Name": "redshift",
            "ConnectionType": "JDBC",
            "ConnectionProperties": properties,
        }
        client("glue", url).create_connection(ConnectionInput=connection)
        make_bucket(url)
        return {
            "AWS_ENDPOINT_URL": url,
            "DBT_ENTRYPOINT_CREDENTIALS": "glue:redshift",
            "ENV": "dev",
        }


class Measured:
    """One run of a program, watched until it ends."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        directory: pathlib.Path,
        stdout,
        log: pathlib.Path,
    ):
        self.started = time.time()
        start = time.perf_counter()
        with open(log, "wb") as stderr:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.peak = 0
        # The kernel's account of each thread. The sum in /proc/PID/stat is cut to whole hundredths
        # of a second, twice.
        self.threads: dict[str, int] = {}
        over = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(process.pid, over))
        watcher.start()
        # Left as a zombie, its first thread still has an account.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.wall = time.perf_counter() - start
        over.set()
        watcher.join()
        self.threads[str(process.pid)] = nanoseconds(
            pathlib.Path(f"/proc/{process.pid}/task/{process.pid}")
        )
        self.cpu = sum(self.threads.values()) / 1e9
        code = process.wait()
        if code != 0:
            raise SystemExit(
                f"{' '.join(command)} ended with {code}:\n{log.read_text(errors='replace')[-3000:]}"
            )

    def watch(self, pid: int, over: threading.Event) -> None:
        while not over.wait(0.005):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                self.peak = max(self.peak, int(found[1]))
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    self.threads[thread.name] = nanoseconds(thread)


def nanoseconds(thread: pathlib.Path) -> int:
    return int((thread / "schedstat").read_text().split()[0])


def start(command: list[str], cwd: pathlib.Path, python: bool = False) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, *command] if python else command,
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    STARTED.append(process)
    return process


STARTED: list[subprocess.Popen] = []


def until(what: str, condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start")
        time.sleep(0.02)


def client(service: str, url: str):
    import boto3
    from botocore.config import Config

    keys = {
        "aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
    }
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}),
        **keys,
    )


def make_bucket(url: str) -> None:
    client("s3", url).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )


def median(values: list[float]) -> float:
    return statistics.median(values)


def spread(values: list[float], factor: float, unit: str, digits: int = 0) -> str:
    low, middle, high = (
        f"{value * factor:.{digits}f}" for value in (min(values), median(values), max(values))
    )
    return f"{middle} {unit} ({low} to {high})"


def start_and_cpu(bench: Bench, parts: list[str]) -> None:
    aws = bench.aws()
    began, cpu = [], []
    for _ in range(20):
        measured = bench.run([], variables=aws)
        began.append(float((bench.work / "began").read_text()) - measured.started)
        cpu.append(measured.cpu)
    alone = []
    for _ in range(20):
        # What the local AWS takes to answer one call, which a real one takes, too.
        body = json.dumps({"Name": "redshift"}).encode()
        scope = (
            f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/glue/aws4_request, "
            f"SignedHeaders=host, Signature=0"
        )
        headers = {
            "X-Amz-Target": "AWSGlue.GetConnection",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": scope,
        }
        before = time.perf_counter()
        urllib.request.urlopen(
            urllib.request.Request(aws["AWS_ENDPOINT_URL"], body, headers)
        ).read()
        alone.append(time.perf_counter() - before)
    offline = []
    for _ in range(20):
        measured = bench.run([], variables=LOGIN)
        offline.append(float((bench.work / "began").read_text()) - measured.started)
    if "start" in parts:
        bench.row(
            "start to first dbt, credentials from Glue",
            f"{spread(began, 1e3, 'ms')}, median of 20",
            "60 ms",
        )
        bench.row(
            "… of which the local AWS's answer to GetConnection", spread(alone, 1e3, "ms"), "–"
        )
        bench.row("… the same without AWS", spread(offline, 1e3, "ms"), "–")
    if "cpu" in parts:
        bench.row(
            "own CPU time of a run: 6 steps, 8 objects",
            f"{spread(cpu, 1, 's', 3)}, median of 20",
            "0.3 s",
        )


def feed(bench: Bench, name: str, line: bytes, megabytes: int, every: int = 0) -> pathlib.Path:
    """A file of output: lines, and in every n-th of them a secret."""
    path = bench.work / name
    with open(path, "wb") as file:
        block, size, index = bytearray(), 0, 0
        while size < megabytes * 1_000_000:
            index += 1
            marked = every and index % every == 0
            block += line.replace(b"######", PASSWORD.encode()) if marked else line
            if len(block) >= 1 << 20 or len(line) > 1 << 20:
                file.write(block)
                size += len(block)
                block.clear()
    return path


LINE = (
    b"06:14:42  12 of 30 OK created sql table model analytics.orders ###### ............ "
    b"[SELECT 120394 in 3.41s]\n"
)


def memory(bench: Bench) -> None:
    lines = feed(bench, "lines", LINE, 200)
    long = feed(bench, "long", b"x" * 50_000_000 + b"\n", 200)
    for what, path, flags in [
        ("200 MB in lines", lines, []),
        ("200 MB in lines of 50 MB", long, []),
        ("200 MB in lines of 50 MB, as JSON", long, ["--log-format", "json"]),
    ]:
        measured = bench.run(
            ["--steps", "run", *flags], dbt=f"#!/bin/sh\nexec cat {path}\n", variables=LOGIN
        )
        bench.row(f"peak memory, dbt prints {what}", f"{measured.peak / 1000:.1f} MB", "30 MB")
    lines.unlink()
    long.unlink()


def output(bench: Bench) -> None:
    shared = pathlib.Path("/dev/shm")
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=shared if shared.is_dir() else None))
    megabytes = 1000
    cores = os.cpu_count() or 1
    elsewhere = "1" if cores > 1 else "0"
    for what, every, flags in [
        ("without a secret in it", 0, []),
        ("a secret in every 100th line", 100, []),
        ("a secret in every 100th line, as JSON", 100, ["--log-format", "json"]),
    ]:
        path = feed(bench, str(work / "lines"), LINE, megabytes, every)
        dbt = f"#!/bin/sh\nexec taskset -c {elsewhere} cat {path}\n"
        walls, cpus = [], []
        for _ in range(3):
            reader = subprocess.Popen(
                ["taskset", "-c", elsewhere, "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            wrapper = ["taskset", "-c", "0"]
            measured = bench.run(
                ["--steps", "run", *flags],
                dbt=dbt,
                variables=LOGIN,
                wrapper=wrapper,
                stdout=reader.stdin,
            )
            reader.stdin.close()
            reader.wait()
            walls.append(measured.wall)
            cpus.append(measured.cpu)
        # By the clock, the program that prints and the one that reads share the other core, and are
        # often what is waited for.
        figure = (
            f"{megabytes / median(cpus):.0f} MB in a second of the runner's CPU time, "
            f"{megabytes / median(walls):.0f} MB/s by the clock"
        )
        bench.row(f"output on one core with two secrets, {what}", figure, "300 MB/s")
    shutil.rmtree(work)


def publish(bench: Bench) -> None:
    store = bench.work / "s3"
    store.mkdir()
    port = free_port()
    keys = [
        "--access-key",
        KEYS["AWS_ACCESS_KEY_ID"],
        "--secret-key",
        KEYS["AWS_SECRET_ACCESS_KEY"],
    ]
    start(
        [str(bench.s3), "--host", "127.0.0.1", "--port", str(port), *keys, str(store)],
        cwd=bench.work,
    )
    url = f"http://127.0.0.1:{port}"
    until("s3s-fs", lambda: answers(url))
    make_bucket(url)
    bench.docs(500, 4096)
    aws = str(pathlib.Path(sys.executable).parent / "aws")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(bench.work),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **KEYS,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    (bench.work / ".aws").mkdir(exist_ok=True)
    (bench.work / ".aws" / "config").write_text("[default]\ns3 =\n    addressing_style = path\n")
    variables = {**LOGIN, "ENV": "dev", "AWS_ENDPOINT_URL": url}
    ours, theirs = [], []
    for _ in range(7):
        ours.append(bench.run(["--steps", "docs"], variables=variables))
        target = f"s3://{BUCKET}/copied"
        command = [
            sys.executable,
            aws,
            "s3",
            "cp",
            "--recursive",
            "--quiet",
            str(bench.work / "docs"),
            target,
        ]
        theirs.append(
            Measured(command, environment, bench.work, subprocess.DEVNULL, bench.work / "stderr")
        )
    published = sum(
        1 for path in (store / BUCKET / "shop").rglob("*.json") if "runs" not in path.parts
    )
    if published < 500:
        raise SystemExit(f"only {published} files were published")
    for what, goal, read in [
        ("CPU time", "1/10", lambda measured: measured.cpu),
        ("time", "1/3", lambda measured: measured.wall),
    ]:
        own, other = [read(measured) for measured in ours], [read(measured) for measured in theirs]
        figure = (
            f"{spread(own, 1, 's', 2)}; aws s3 cp: {spread(other, 1, 's', 2)}; "
            f"1/{median(other) / median(own):.1f}"
        )
        bench.row(
            f"{what} to publish 503 files of 4 KB, a whole run", figure, f"{goal} of aws s3 cp"
        )
    bench.row(
        "peak memory of that run",
        f"{max(measured.peak for measured in ours) / 1000:.1f} MB",
        "30 MB",
    )


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", type=pathlib.Path, required=True)
    parser.add_argument("--s3", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    # Stopped by a signal, the servers are stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts = arguments.parts
    with tempfile.TemporaryDirectory(prefix="dbt-entrypoint-bench-") as work:
        bench = Bench(arguments.runner, arguments.s3, pathlib.Path(work).resolve())
        try:
            if "start" in parts or "cpu" in parts:
                start_and_cpu(bench, parts)
            for part, measure in [("memory", memory), ("output", output), ("publish", publish)]:
                if part in parts:
                    measure(bench)
        finally:
            for process in STARTED:
                process.kill()
        if "size" in parts:
            bench.row("binary", f"{arguments.runner.stat().st_size / 1e6:.1f} MB", "15 MB")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    load = os.getloadavg()[0]
    lines = [
        f"{now}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, "
        f"load {load:.1f} at the end",
        "",
    ]
    lines += [
        "| what | measured | goal |",
        "| --- | --- | --- |",
        *(f"| {what} | {figure} | {goal} |" for what, figure, goal in bench.rows),
    ]
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
