"""Parts of the host's program, beside the dbt that is installed."""

import pathlib
import types

HOST = pathlib.Path(__file__).resolve().parents[3] / "src/pipeline/session/host"


def host(*parts: str) -> types.SimpleNamespace:
    """What these parts define, with what they all use."""
    names: dict = {"__name__": "host"}
    for part in ("wire", "invocation", *parts):
        exec(compile((HOST / f"{part}.py").read_text(), f"{part}.py", "exec"), names)
    return types.SimpleNamespace(**names)
