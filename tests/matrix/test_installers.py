"""The scripts that installers of today and of old write for dbt are taken for dbt's own.

Each installer is installed from its section of the lock, and installs a wheel made here, whose
command is that of dbt-core: nobody wrote these scripts down.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCK = ROOT / "scripts/requirements/installers.txt"
RUNNER = pathlib.Path(os.environ.get("DBT_ENTRYPOINT_BIN", ROOT / "target/debug/dbt-entrypoint"))
#: No released dbt has it, so that a log which names it can only mean this one.
VERSION = "1.11.9753"
FILES = {
    "dbt/__init__.py": "",
    "dbt/version.py": f"__version__ = '{VERSION}'\n",
    "dbt/cli/__init__.py": "",
    "dbt/cli/main.py": "import sys\n\n\ndef cli():\n    print('dbt', *sys.argv)\n",
}

spec = importlib.util.spec_from_file_location("script", ROOT / "src/session/host/script.py")
assert spec is not None
assert spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def sections() -> dict[str, str]:
    """By requirement: what its lock says."""
    found: dict[str, str] = {}
    for line in LOCK.read_text().splitlines(keepends=True):
        if line.startswith("# "):
            name = line[2:].strip()
            found[name] = ""
        else:
            found[name] += line
    return found


def wheel(folder: pathlib.Path) -> pathlib.Path:
    info = f"dbt_core-{VERSION}.dist-info"
    files = FILES | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: dbt-core\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ndbt = dbt.cli.main:cli\n",
    }
    record = "".join(f"{name},{digest(text)},{len(text)}\n" for name, text in files.items())
    path = folder / f"dbt_core-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return path


def digest(text: str) -> str:
    value = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + value.rstrip(b"=").decode()


class Installers(unittest.TestCase):
    place: pathlib.Path
    wheel: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="installers-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.wheel = wheel(cls.place)

    def command(self, *command: object, **variables: object) -> str:
        # What they install is here, and nothing else is asked for.
        environment = os.environ | {
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_INDEX": "1",
            "UV_NO_CONFIG": "1",
            **{name: str(value) for name, value in variables.items()},
        }
        done = subprocess.run(
            [str(word) for word in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def installer(self, requirement: str, folder: pathlib.Path) -> pathlib.Path:
        """Installs the installer; gives back where its modules are."""
        locked = folder / "locked.txt"
        locked.write_text(sections()[requirement])
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target"]
        modules = folder / "modules"
        done = subprocess.run(
            [*pip, *options, str(modules), "--requirement", str(locked)],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return modules

    def environment(self, folder: pathlib.Path, name: str = "environment") -> pathlib.Path:
        place = folder / name
        self.command(sys.executable, "-m", "venv", "--without-pip", place)
        return place

    def made_by_pip(self, requirement: str, folder: pathlib.Path) -> list[pathlib.Path]:
        modules = self.installer(requirement, folder)
        made = []
        # A blank needs a detour through the shell.
        for name in ("environment", "an environment"):
            place = self.environment(folder, name)
            install = ["-m", "pip", "install", "--no-deps", self.wheel]
            self.command(place / "bin/python", *install, PYTHONPATH=modules)
            made.append(place / "bin/dbt")
        return made

    def made_by_uv(self, requirement: str, folder: pathlib.Path) -> list[pathlib.Path]:
        uv = self.installer(requirement, folder) / "bin/uv"
        made = []
        for name, options in (("plain", []), ("a blank", []), ("moves", ["--relocatable"])):
            place = folder / name
            self.command(uv, "venv", "--python", sys.executable, *options, place)
            python = place / "bin/python"
            self.command(uv, "pip", "install", "--python", python, "--no-deps", self.wheel)
            made.append(place / "bin/dbt")
        return made

    def test_their_scripts_are_a_way_into_the_session(self) -> None:
        requirements = list(sections())
        self.assertGreater(len(requirements), 5)
        for number, requirement in enumerate(requirements):
            with self.subTest(requirement):
                folder = self.place / str(number)
                folder.mkdir()
                make = getattr(self, "made_by_" + requirement.partition("==")[0])
                for dbt in make(requirement, folder):
                    self.assertIsNone(script.does_more(dbt.read_bytes()), dbt.read_text())
                    self.assert_session(dbt, folder)

    def assert_session(self, dbt: pathlib.Path, folder: pathlib.Path) -> None:
        project = folder / "project"
        project.mkdir(exist_ok=True)
        (project / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
        (project / "profiles.yml").write_text(
            "shop: {target: dev, outputs: {dev: {type: duckdb, schema: s}}}\n"
        )
        said = self.command(
            RUNNER,
            *("run", "--steps=run", "--credentials=none", "--env=local"),
            *(f"--project-dir={project}", f"--dbt={dbt}"),
        )
        self.assertIn(f"engine: session, since dbt-core {VERSION}", said)
        self.assertIn(f"dbt {dbt} run", said)


if __name__ == "__main__":
    unittest.main()
