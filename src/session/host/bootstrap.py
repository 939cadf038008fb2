"""Owns the way of these modules into Python: from memory, and imported like any others.

Runs on any Python 3, if only to say that it is too old. Never imports dbt. The runner hands over
`sources`, by module below the package: what is read here stands in no process list and on no disk.
"""

import importlib.abc
import importlib.util
import json
import os
import sys

OLDEST = (3, 9)
PACKAGE = "dbt_entrypoint_host"


class Sources(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    def __init__(self, sources):
        self.sources = sources

    def part(self, name):
        """`main` for the module `dbt_entrypoint_host.main`, and `` for the package itself."""
        package, _, part = name.partition(".")
        return part if package == PACKAGE and (not part or part in self.sources) else None

    def find_spec(self, fullname, *_):
        if self.part(fullname) is None:
            return None
        is_package = self.is_package(fullname)
        return importlib.util.spec_from_loader(fullname, self, is_package=is_package)

    def is_package(self, fullname):
        part = self.part(fullname)
        return not part or any(other.startswith(part + ".") for other in self.sources)

    def get_source(self, fullname):
        return self.sources[self.part(fullname) or "__init__"]

    def get_filename(self, fullname):
        # Not in angle brackets: then no traceback of ours would show the source.
        return "dbt-entrypoint/{}.py".format(self.part(fullname) or "host")


def refuse(reason):
    """As `wire.send` does it, which an old Python cannot read."""
    content = json.dumps({"unable": reason}).encode()
    os.write(0, len(content).to_bytes(4, "big") + content)


def start(sources):
    if sys.version_info < OLDEST:
        version, oldest = (".".join(map(str, v)) for v in (sys.version_info[:2], OLDEST))
        refuse(f"Python {version} is too old for it, which needs {oldest} or later")
        return
    finder = Sources(sources)
    sys.meta_path.insert(0, finder)
    main = importlib.import_module(PACKAGE + ".main")
    # Steps should find no more there than in a process of their own.
    sys.meta_path.remove(finder)
    main.main()
