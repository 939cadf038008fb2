"""Owns the environments: one dbt-core in each, from the locks, with a Python that it knows."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCKS = ROOT / "scripts/requirements"
PLACE = ROOT / "target/matrix"
#: Never had a wheel. They are built without isolation, so that what builds them is locked, too.
WITHOUT_WHEELS = ("logbook", "minimal-snowplow-tracker")
BUILDERS = ("setuptools", "wheel")


class Missing(Exception):  # noqa: N818
    """What this machine lacks."""


@dataclasses.dataclass(frozen=True)
class Version:
    name: str
    #: The minor versions of Python 3 that this dbt knows, the preferred one first.
    pythons: tuple[int, ...]
    #: The newest of everything, for the scheduled run.
    unlocked: tuple[str, ...] = ()
    #: Made already, by scripts/venv from the lock of what the image installs.
    place: pathlib.Path | None = None

    @property
    def lock(self) -> pathlib.Path:
        return LOCKS / f"matrix-{self.name}.txt"


#: The two ends and the default are those of each run of the tests.
VERSIONS = {
    version.name: version
    for version in (
        Version("1.5", (9, 10, 11)),
        Version("1.8", (10, 11, 9)),
        Version("1.10", (12, 11, 13, 10)),
        Version("1.11", (), place=ROOT / ".venv"),
        Version("1.12", (13, 12, 11, 10)),
        Version("1.13", (13, 12, 11, 10)),
        Version("newest", (13, 12), ("dbt-core<2", "dbt-duckdb")),
    )
}
USUAL = ("1.5", "1.11", "1.13")


def find_python(version: Version) -> pathlib.Path:
    """From PATH, else from where pyenv has them."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    for minor in version.pythons:
        name = f"python3.{minor}"
        installed = sorted(pyenv.glob(f"versions/3.{minor}.*/bin/{name}"))
        for found in (shutil.which(name), *map(str, reversed(installed))):
            # A shim of pyenv's may have no Python behind it.
            if found and run([found, "-c", "import ensurepip, venv"], check=False) == 0:
                return pathlib.Path(found)
    wanted = ", ".join(f"3.{minor}" for minor in version.pythons)
    raise Missing(f"dbt {version.name} needs one of Python {wanted}, with venv, on PATH")


def prepare(version: Version) -> pathlib.Path:
    """The `dbt` of an environment, made anew where the lock has changed."""
    if version.place:
        run([str(ROOT / "scripts/venv"), "dbt"])
        return version.place / "bin/dbt"
    place = PLACE / "environments" / version.name
    dbt = place / "bin/dbt"
    stamp = place / "installed.txt"
    # Its scripts name the place, so that one which was moved is made anew.
    wanted = None if version.unlocked else f"{version.lock.read_text()}# {place}\n"
    if wanted and dbt.exists() and stamp.exists() and stamp.read_text() == wanted:
        return dbt
    python = find_python(version)
    shutil.rmtree(place, ignore_errors=True)
    run([str(python), "-m", "venv", str(place)])
    pip = [str(place / "bin/python"), "-m", "pip", "install", "--quiet"]
    pip.append("--disable-pip-version-check")
    if wanted is None:
        # With the pip of today, whose scripts may be others.
        run([*pip, "--upgrade", "pip"])
        run([*pip, "--only-binary", ":all:", *version.unlocked])
        return dbt
    locked = [*pip, "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    builders = stamp.with_name("builders.txt")
    builders.write_text(entries(wanted, BUILDERS))
    if builders.stat().st_size:
        run([*locked, "--requirement", str(builders)])
        locked += ["--no-binary", ",".join(WITHOUT_WHEELS), "--no-build-isolation"]
    run([*locked, "--requirement", str(version.lock)])
    stamp.write_text(wanted)
    return dbt


def entries(lock: str, names: tuple[str, ...]) -> str:
    """Those entries of a lock, with their hashes."""
    kept, is_wanted = [], False
    for line in lock.splitlines(keepends=True):
        if not line.startswith(" "):
            is_wanted = line.split("==")[0] in names
        if is_wanted:
            kept.append(line)
    return "".join(kept)


def run(command: list[str], check: bool = True) -> int:
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and result.returncode:
        print(result.stdout, file=sys.stderr)
        raise Missing(f"{' '.join(command[:6])} … ended with {result.returncode}")
    return result.returncode
