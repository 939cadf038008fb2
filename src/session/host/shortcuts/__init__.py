"""Owns what dbt does over again or in a roundabout way, done once or straight, to the same end.

One file for each: what it applies to, how it is put in and taken out. What each saves stands in
docs/dbt-internals.md.
"""
