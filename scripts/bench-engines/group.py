"""Runs a program in a control group of its own, and says what it and all that it started have used.

CPU time is the kernel's account of the group, so that of a process nobody waited for is in it.
Memory is the sum of the processes' proportional set sizes (PSS), sampled: a page that several share
counts once, and the page cache does not count at all, as it would in the group's own peak.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Reading the account of a dbt takes the kernel some milliseconds, in which that process cannot
# grow.
EVERY = 0.05


class Unable(Exception):  # noqa: N818
    """What this machine lacks, and what helps."""


@dataclasses.dataclass(frozen=True)
class Limit:
    """What a group may use; `None` where there is no limit."""

    cpus: float | None = None
    memory: int | None = None


@dataclasses.dataclass(frozen=True)
class Used:
    code: int
    wall: float
    cpu: float
    peak: int


class Version1:
    """One hierarchy for each controller."""

    def __init__(self, name: str, limit: Limit):
        mounts: dict[str, pathlib.Path | None] = dict.fromkeys(["cpu", "cpuacct", "memory"])
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            place, _, source = line.partition(" - ")
            kind, _, options = source.split(" ", 2)
            for controller in mounts:
                if kind == "cgroup" and controller in options.split(","):
                    mounts[controller] = pathlib.Path(place.split()[4])
        missing = [controller for controller, mount in mounts.items() if mount is None]
        if missing:
            raise Unable(f"no control groups for {', '.join(missing)}")
        # Two controllers may be mounted at one place.
        self.cpu, self.usage, self.memory = (mount / name for mount in mounts.values())
        self.directories = sorted({self.cpu, self.usage, self.memory})
        for directory in self.directories:
            directory.mkdir()
        if limit.cpus is not None:
            (self.cpu / "cpu.cfs_period_us").write_text("100000")
            (self.cpu / "cpu.cfs_quota_us").write_text(str(int(limit.cpus * 100_000)))
        if limit.memory is not None:
            (self.memory / "memory.limit_in_bytes").write_text(str(limit.memory))

    def seconds(self) -> float:
        return int((self.usage / "cpuacct.usage").read_text()) / 1e9


class Version2:
    """One hierarchy for all. Its root takes groups beside processes, any other group does not."""

    def __init__(self, name: str, limit: Limit):
        (CGROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
        self.cpu = CGROUPS / name
        self.directories = [self.cpu]
        self.cpu.mkdir()
        if limit.cpus is not None:
            (self.cpu / "cpu.max").write_text(f"{int(limit.cpus * 100_000)} 100000")
        if limit.memory is not None:
            (self.cpu / "memory.max").write_text(str(limit.memory))

    def seconds(self) -> float:
        return int(account(self.cpu)["usage_usec"]) / 1e6


def account(directory: pathlib.Path) -> dict[str, str]:
    return dict(line.split() for line in (directory / "cpu.stat").read_text().splitlines())


class Group:
    """A control group for one program. Gone, with whatever is left in it, when its block ends."""

    def __init__(self, limit: Limit):
        version = Version2 if (CGROUPS / "cgroup.controllers").exists() else Version1
        try:
            self.kernel = version(
                f"dbt-entrypoint-bench-{os.getpid()}-{time.monotonic_ns()}", limit
            )
        except OSError as error:
            raise Unable(
                f"no control group can be made ({error}): run this as root, "
                f"on a machine or in a container with its own "
                "/sys/fs/cgroup to write to"
            ) from error

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            kill(pid)
        # One that is held back or has much memory to give back is still there when it is no longer
        # listed.
        until(lambda: all(map(removed, self.kernel.directories)))

    def enter(self) -> None:
        """Moves the calling process into the group; it and its children stay there."""
        for directory in self.kernel.directories:
            (directory / "cgroup.procs").write_text("0")

    def processes(self) -> list[int]:
        return [
            int(line) for line in (self.kernel.directories[0] / "cgroup.procs").read_text().split()
        ]

    def throttled(self) -> int:
        """How often the kernel has held the group back."""
        return int(account(self.kernel.cpu)["nr_throttled"])

    def memory(self) -> int:
        return sum(map(proportional_set_size, self.processes()))

    def run(
        self,
        command: list[str],
        environment: dict[str, str],
        directory: pathlib.Path,
        log: pathlib.Path,
    ) -> Used:
        peak, over = [0], threading.Event()

        def watch() -> None:
            while not over.wait(EVERY):
                peak[0] = max(peak[0], self.memory())

        with open(log, "wb") as output:
            start = time.perf_counter()
            # The thread comes after the fork: between fork and exec, none but the forking one is
            # there.
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=self.enter,
            )
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                code = process.wait()
                wall = time.perf_counter() - start
            finally:
                over.set()
                watcher.join()
        # Helpers that dbt leaves behind end by themselves.
        until(lambda: not self.processes())
        return Used(code, wall, self.kernel.seconds(), peak[0])


def proportional_set_size(pid: int) -> int:
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # It has ended meanwhile.
    return 0


def removed(directory: pathlib.Path) -> bool:
    try:
        directory.rmdir()
    except OSError:
        return not directory.exists()
    return True


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until(condition) -> None:
    """Waits ten seconds at most; what is still there then is for the caller to see."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
