#!/usr/bin/env python3
"""The tables of the module's README.md, from its variables and outputs.

generate.py MODULE            # fail where the README is not up to date, or a variable is not as it
should be
    generate.py MODULE --write    # write them

Between the markers `<!-- inputs -->`, `<!-- outputs -->`, `<!-- resources -->` and the one that
ends each. The same look at the variables holds them to their rules: described, typed, with messages
that begin with the variable's name, and a case in `terraform test` for each validation.
"""

import pathlib
import re
import sys

import hcl2


def text(value):
    """What python-hcl2 gives for a string: quoted, or the lines of a heredoc."""
    value = str(value).strip('"')
    if value.startswith("<<"):
        lines = value.split("\n")[1:-1]
        margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        return "\n".join(line[margin:] for line in lines)
    return value.replace('\\"', '"')


def blocks(module, kind):
    """Name, body and source of every block of this kind, as a caller would look for them: in the
    order of the files and lines.
    """
    for path in sorted(module.glob("*.tf")):
        source = path.read_text(encoding="utf-8")
        for block in hcl2.loads(source).get(kind, []):
            for name, body in block.items():
                name = name.strip('"')
                start = re.search(rf'^{kind} "{name}" {{', source, re.M).start()
                yield name, body, source[start : source.index("\n}", start)]


def expression(source, name):
    """An argument as it is written, laid out by `terraform fmt`: its line, and the lines up to
    where the indentation comes back.
    """
    found = re.search(rf"^  {name} +(?:= )?= ?(.*)$|^  {name} += (.*)$", source, re.M)
    if not found:
        return None
    lines = [found[1] or found[2]]
    if lines[0].count("{") + lines[0].count("(") + lines[0].count("[") > lines[0].count(
        "}"
    ) + lines[0].count(")") + lines[0].count("]"):
        for line in source[found.end() + 1 :].split("\n"):
            lines.append(line[2:])
            if re.match(r"  [)\]}]+$", line):
                break
    return "\n".join(lines)


def cell(value):
    return value.replace("|", "\\|").replace("\n- ", "<br>• ").replace("\n", " ").strip()


def code(value):
    """On one line, as a table needs it. An object's fields are in its description."""
    if value is None:
        return ""
    one_line = re.sub(r"\s+", " ", value)
    return f"`{one_line}`" if len(one_line) <= 60 else "see description"


def inputs(module):
    rows = ["| name | type | default | description |", "| --- | --- | --- | --- |"]
    for name, body, source in blocks(module, "variable"):
        default = expression(source, "default")
        kind = expression(source, "type")
        kind = (
            "object"
            if kind.startswith("object")
            else "map of objects"
            if kind.startswith("map(object")
            else "list of objects"
            if kind.startswith("list(object")
            else kind
        )
        described = cell(text(body["description"]))
        rows.append(
            f"| `{name}` | {kind} | {code(default) if default is not None else '**required**'} "
            f"| {described} |"
        )
    return rows


def outputs(module):
    rows = ["| name | description |", "| --- | --- |"]
    return rows + [
        f"| `{name}` | {cell(text(body['description']))} |"
        for name, body, _ in blocks(module, "output")
    ]


def resources(module):
    rows = ["| file | makes |", "| --- | --- |"]
    for path in sorted(module.glob("*.tf")):
        found = [
            f"`{kind}.{name}`"
            for kind, name in re.findall(
                r'^resource "(\w+)" "(\w+)"', path.read_text(encoding="utf-8"), re.M
            )
        ]
        if found:
            rows.append(f"| [{path.name}]({path.name}) | {', '.join(found)} |")
    return rows


def filled(module):
    readme = (module / "README.md").read_text(encoding="utf-8")
    for name, table in (("inputs", inputs), ("outputs", outputs), ("resources", resources)):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if readme.count(begin) != 1 or readme.count(end) != 1:
            sys.exit(f"README.md: the markers {begin} and {end} have to be there once")
        before, rest = readme.split(begin)
        readme = before + begin + "\n" + "\n".join(table(module)) + "\n" + end + rest.split(end)[1]
    return readme


def report(is_fine, name):
    print("ok -" if is_fine else "not ok -", name)
    return is_fine


def rules(module):
    """Whether every variable is as it should be."""
    cases = "".join(
        path.read_text(encoding="utf-8") for path in (module / "tests").glob("rejects_*.tftest.hcl")
    )
    for name, body, source in blocks(module, "variable"):
        validations = body.get("validation", [])
        messages = [text(validation["error_message"]) for validation in validations]
        yield report(
            len(text(body.get("description", ""))) > 20 and "type" in body,
            f"{name} has a description and a type",
        )
        yield report(
            bool(validations) or expression(source, "type") == "bool", f"{name} is validated"
        )
        yield report(
            all(re.match(rf"{name}[:.]", message) for message in messages),
            f"every message of {name} begins with its name",
        )
        rejected = len(re.findall(rf"expect_failures = \[var\.{name}\]", cases))
        yield report(
            rejected >= len(validations),
            f"{name} has {len(validations)} validations and {rejected} cases that they refuse",
        )
    for name, body, _ in blocks(module, "output"):
        yield report(
            len(text(body.get("description", ""))) > 20, f"the output {name} has a description"
        )


def main():
    module = pathlib.Path(sys.argv[1])
    wanted = filled(module)
    if "--write" in sys.argv:
        (module / "README.md").write_text(wanted, encoding="utf-8")
    results = list(rules(module))
    is_up_to_date = (module / "README.md").read_text(encoding="utf-8") == wanted
    results.append(report(is_up_to_date, "README.md is up to date (else: run readme --write)"))
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
