"""How the host begins: which Python is too old for it, and what a step finds as its main module."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import types
import unittest
from unittest import mock

from support import host

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOTSTRAP = re.search(
    r'BOOTSTRAP: &str = "\\\n(.*?)";', (ROOT / "src/session.rs").read_text(), re.S
)


def answer(bootstrap: str, program: bytes) -> tuple:
    """What a host says first that is this program, and what it writes besides."""
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(
        [sys.executable, "-c", bootstrap.replace("\\\\", "\\"), "/nowhere"],
        stdin=theirs.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env={"PATH": os.defpath},
    )
    theirs.close()
    ours.sendall(b"%d\n%b" % (len(program), program))
    said, _ = child.communicate(timeout=60)
    length = int.from_bytes(ours.recv(4, socket.MSG_WAITALL), "big")
    content = json.loads(ours.recv(length, socket.MSG_WAITALL)) if length else None
    ours.close()
    return content, said.decode()


class Started(unittest.TestCase):
    def setUp(self) -> None:
        assert BOOTSTRAP is not None
        self.bootstrap = BOOTSTRAP.group(1)

    def test_the_program_is_run(self) -> None:
        self.assertEqual(answer(self.bootstrap, b"print('here')"), (None, "here\n"))

    def test_a_python_that_is_too_old_is_told_in_words(self) -> None:
        # Nothing else is looked at: an old Python could not read it.
        oldest = self.bootstrap.replace("(3, 9)", "(9, 1)")
        self.assertNotEqual(oldest, self.bootstrap)
        version = ".".join(map(str, sys.version_info[:2]))
        reason = f"Python {version} is too old for it, which needs 3.9 or later"
        self.assertEqual(answer(oldest, b"not Python"), ({"unable": reason}, ""))


class Invoked(unittest.TestCase):
    def test_the_script_is_the_file_of_the_main_module(self) -> None:
        seen = []
        command = types.ModuleType("dbt.cli.main")
        # type: ignore
        command.cli = lambda: seen.append((sys.modules["__main__"].__file__, sys.argv))
        modules = {
            "dbt": types.ModuleType("dbt"),
            "dbt.cli": types.ModuleType("dbt.cli"),
            "dbt.cli.main": command,
            "__main__": types.ModuleType("__main__"),
        }
        with mock.patch.dict(sys.modules, modules), mock.patch.object(sys, "argv", []):
            with self.assertRaises(SystemExit):
                host("invocation").invoke("/bin/dbt", ["run"])
        self.assertEqual(seen, [("/bin/dbt", ["/bin/dbt", "run"])])


if __name__ == "__main__":
    unittest.main()
