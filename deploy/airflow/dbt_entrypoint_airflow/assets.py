"""Owns the assets that a run updates: one for each model, seed and snapshot that it has built, if
that is asked for.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from .places import AirflowFailException, Asset, AssetAlias


def alias_of(deployment: str) -> AssetAlias:
    """Stands for all of them until a run has said which they are. `deployment`: project/env."""
    return AssetAlias(name=f"dbt_{deployment.replace('/', '_')}")


def uri_of(deployment: str, node: str) -> str:
    return f"dbt://{deployment}/{quote(node, safe='')}"


def update(context: Any, operator: Any, built: list[str], why: str | None) -> None:
    """Announces what was built and is asked for. Whoever waits for an asset would wait in vain, so
    the task fails where nobody knows what was built.
    """
    if why:
        raise AirflowFailException(
            f"dbt succeeded, but its models' assets cannot be updated: {why}. "
            f"Nothing that waits for them was started. Set assets to [] to do without."
        )
    events = context["outlet_events"][alias_of(operator.deployment)]
    wanted = [node for node in built if any(fnmatchcase(node, it) for it in operator.assets)]
    for node in wanted:
        # Without a name, as who waits for it writes it.
        events.add(Asset(uri=uri_of(operator.deployment, node)))
    operator.log.info("assets: %s of %s built nodes", len(wanted), len(built))
