"""Renders the data source aws_iam_policy_document, which needs no AWS, as the provider does: a
policy in a plan is then the real one.
"""

import json


def one_or_all(values):
    """IAM takes a lone value for a list of one, and that is how the provider writes it."""
    values = sorted(set(values))
    return values[0] if len(values) == 1 else values


def principals(given):
    by_type: dict[str, list[str]] = {}
    for principal in given or []:
        by_type.setdefault(principal["type"], []).extend(principal["identifiers"])
    if by_type == {"*": ["*"]}:
        return "*"
    return {kind: one_or_all(names) for kind, names in by_type.items()}


def statement(given):
    result = {}
    if given.get("sid"):
        result["Sid"] = given["sid"]
    result["Effect"] = given.get("effect") or "Allow"
    for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if given.get(name):
            result[key] = principals(given[name])
    for name, key in (
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ):
        if given.get(name):
            result[key] = one_or_all(given[name])
    for condition in given.get("condition") or []:
        result.setdefault("Condition", {}).setdefault(condition["test"], {})[
            condition["variable"]
        ] = one_or_all(condition["values"])
    return result


def render(config):
    """The document as JSON. Raises ValueError where the provider would refuse."""
    statements = []
    for document in config.get("source_policy_documents") or []:
        inner = json.loads(document)["Statement"]
        statements += inner if isinstance(inner, list) else [inner]
    statements += [statement(given) for given in config.get("statement") or []]
    sids = [each["Sid"] for each in statements if "Sid" in each]
    doubled = sorted({sid for sid in sids if sids.count(sid) > 1})
    if doubled:
        raise ValueError(f"the Sid {', '.join(doubled)} is there more than once")
    return json.dumps(
        {"Version": config.get("version") or "2012-10-17", "Statement": statements}, indent=2
    )
