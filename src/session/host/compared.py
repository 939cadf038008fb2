"""Owns the comparison of a saved parse with the files that are here: the text of a model or a
macro, which dbt runs as the parse has it, is the text of its file.

dbt itself compares only a checksum that stands beside the text. What else a parse says (configs,
hooks, tests of YAML files) dbt alone could tell from the files, by parsing them.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

#: Files that are the text of one node, and those that hold it between two tags of Jinja.
WHOLE = ("model", "analysis", "singular_test")
BLOCKS = ("snapshot", "macro", "generic_test")
#: What comes from no other files; tests and snapshots may also come from YAML.
ONLY_FROM_THESE = ("model", "analysis")


def first_difference(parse: dict[str, Any], roots: dict[str, str]) -> str | None:
    """What of a parse is not as in the files; `None` if all is. `roots`: of the projects, by name.

    A file that is not the one that was parsed needs no look: dbt parses it anew, and forgets all
    that the parse lists for it.
    """
    files: dict[str, Any] = parse["files"]
    for place, file in files.items():
        path = file["path"]
        below = os.path.join(path["searched_path"], path["relative_path"])
        if place != f"{file['project_name']}://{below}":
            return f"{place} is not where it says"
    texts = {place: text_that_was_parsed(file, roots) for place, file in files.items()}
    for kind, field in (("macros", "macro_sql"), ("nodes", "raw_code")):
        for name, resource in parse[kind].items():
            place = f"{resource['package_name']}://{resource['original_file_path']}"
            file = files.get(place, {})
            if file.get("parse_file_type") not in WHOLE + BLOCKS:
                if kind == "macros" or resource["resource_type"] in ONLY_FROM_THESE:
                    return f"{name} is from no file of its kind"
                continue
            text, own = texts[place], resource[field]
            if name not in file.get(kind, ()):
                return f"{place} does not list {name}"
            is_whole = file["parse_file_type"] in WHOLE
            if text is not None and not (own == text if is_whole else own in text):
                return f"the text of {name} is not that of {place}"
    known = parse["nodes"].keys() | parse["disabled"].keys()
    for place, file in files.items():
        is_whole = file["parse_file_type"] in WHOLE
        if is_whole and texts[place] and not known.intersection(file.get("nodes", ())):
            return f"nothing is known of {place}"
    return None


def text_that_was_parsed(file: dict[str, Any], roots: dict[str, str]) -> str | None:
    """The content of a file, if it is what the parse was made of."""
    path, root = file["path"], roots.get(file["project_name"])
    if root is None or file["parse_file_type"] not in WHOLE + BLOCKS:
        return None
    try:
        place = os.path.join(root, path["searched_path"], path["relative_path"])
        with open(place, "rb") as content:
            text = content.read().decode().strip()
    except (OSError, ValueError):
        return None
    # From dbt 1.13 on, its checksum is blind to how much white space there is. The comparison is
    # not.
    forms = (text, " ".join(text.split()))
    digests = [hashlib.sha256(form.encode()).hexdigest() for form in forms]
    return text if file["checksum"]["checksum"] in digests else None
