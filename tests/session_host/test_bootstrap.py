"""How the host's modules come into Python, from memory, and which Python is too old."""

import json
import os
import re
import socket
import subprocess
import sys
import unittest

from support import HOST, ROOT

READER = re.search(
    r'READER: &str = "\\\n(.*?)";', (ROOT / "src/session/program.rs").read_text(), re.S
)


def sources() -> dict:
    found = {}
    for path in HOST.rglob("*.py"):
        name = ".".join(path.relative_to(HOST).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path.read_text()
    return found


def answer(made: dict) -> tuple:
    """The first answer of a host that is made of these sources, and what it says besides."""
    ours, theirs = socket.socketpair()
    assert READER is not None
    child = subprocess.Popen(
        [sys.executable, "-c", str(READER.group(1)), "/nowhere"],
        stdin=theirs.fileno(),
        stderr=subprocess.PIPE,
        cwd="/",
        env={"PATH": os.defpath},
    )
    theirs.close()
    content = json.dumps(made).encode()
    imported = json.dumps({"script": "/nowhere/dbt", "adapter": None}).encode()
    frame = len(imported).to_bytes(4, "big") + imported
    ours.sendall(b"%d\n%b%b" % (len(content), content, frame))
    try:
        length = int.from_bytes(ours.recv(4, socket.MSG_WAITALL), "big")
        said = json.loads(ours.recv(length, socket.MSG_WAITALL)) if length else None
    except ConnectionResetError:
        # It has ended without having read all of what was sent.
        said = None
    _, stderr = child.communicate(timeout=60)
    ours.close()
    return said, stderr.decode()


class Bootstrap(unittest.TestCase):
    def test_it_is_imported_from_memory(self) -> None:
        said, stderr = answer(sources())
        self.assertEqual(stderr, "")
        self.assertEqual(list(said), ["broken"])
        self.assertIn("/nowhere/dbt", said["broken"])

    def test_a_python_that_is_too_old_is_told_in_words(self) -> None:
        made = sources()
        made["bootstrap"] = made["bootstrap"].replace("OLDEST = (3, 9)", "OLDEST = (9, 1)")
        # Nothing else is looked at: an old Python could not read it.
        made["main"] = "not Python at all"
        said, stderr = answer(made)
        version = ".".join(map(str, sys.version_info[:2]))
        reason = f"Python {version} is too old for it, which needs 9.1 or later"
        self.assertEqual((said, stderr), ({"unable": reason}, ""))

    def test_a_traceback_shows_the_source(self) -> None:
        made = sources()
        made["main"] = (
            "import traceback\n"
            "def main():\n"
            "    try:\n"
            "        raise RuntimeError('no')  # here\n"
            "    except RuntimeError:\n"
            "        traceback.print_exc()\n"
        )
        said, stderr = answer(made)
        self.assertIsNone(said)
        self.assertIn("raise RuntimeError('no')  # here", stderr)


if __name__ == "__main__":
    unittest.main()
