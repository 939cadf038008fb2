"""The host's program, in parts: it is put together from files that are not modules."""

import pathlib
import types

HOST = pathlib.Path(__file__).resolve().parents[2] / "src/session/host"


def host(*parts: str) -> types.SimpleNamespace:
    """What these parts define, with what they all use."""
    names: dict = {"__name__": "host"}
    for part in ("wire", "invocation", *parts):
        exec(compile((HOST / f"{part}.py").read_text(), f"{part}.py", "exec"), names)
    return types.SimpleNamespace(**names)
