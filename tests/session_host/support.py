"""The host of the session as a package that tests can import, as the runner carries it."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = ROOT / "src/session/host"
sys.path.insert(0, str(HOST.parent))
