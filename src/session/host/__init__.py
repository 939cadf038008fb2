"""Owns dbt, imported once, and forks a child for every step: the host of the warm session.

Three layers, each of which works without the next: the core (`main`, `step`, `command`, `wire`)
knows of dbt its command and its version; `manifest` and `restored` know how dbt reads its saved
parse; `shortcuts` save work that dbt would do over again. `seams` is how the last two reach for
what dbt does not promise to keep.
"""
