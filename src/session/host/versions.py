"""Owns which dbt-core the session was tested with, and what that means for others.

An older one than the oldest has no session, since its command is no function. Of one that is not in
the table the session uses the command alone.
"""

from __future__ import annotations

Minor = tuple[int, int]

#: By minor version: the release of which tests/matrix compared both engines.
TESTED: dict[Minor, str] = {
    (1, 5): "1.5.12",
    (1, 8): "1.8.10",
    (1, 10): "1.10.23",
    (1, 11): "1.11.16",
    (1, 12): "1.12.6",
    (1, 13): "1.13.0b1",
}
OLDEST, NEWEST = min(TESTED), max(TESTED)


def minor_of(version: object) -> Minor | None:
    try:
        major, minor = str(version).split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return None


def why_too_old(full: str, version: Minor) -> str | None:
    return f"dbt-core {full} is older than {words(OLDEST)}" if version < OLDEST else None


def why_untested(full: str, version: Minor) -> str | None:
    if version in TESTED:
        return None
    if version > NEWEST:
        return f"dbt-core {full} is newer than {words(NEWEST)}, the last that was tested"
    return f"dbt-core {full} was never tested"


def words(version: Minor) -> str:
    return ".".join(map(str, version))
