"""What the stub makes up for attributes that AWS would compute, and how they are told apart from
what was configured.
"""

import msgpack

# Terraform's own notation in msgpack for a value that only the apply will tell.
UNKNOWN = msgpack.ExtType(0, b"\x00")
ACCOUNT = "123456789012"
REGION = "eu-west-1"
KNOWN = {"account_id": ACCOUNT, "partition": "aws", "dns_suffix": "amazonaws.com", "region": REGION}


def is_unknown(value):
    return isinstance(value, msgpack.ExtType)


def invent(kind, config):
    """A function that makes up a value for an attribute of this resource or data source."""
    name = next(
        (
            config[key]
            for key in ("name", "family", "bucket", "role")
            if isinstance(config.get(key), str)
        ),
        kind,
    )

    def value(attribute, schema):
        of = schema["type"]
        if kind == "aws_region" and attribute in ("id", "name", "region"):
            return REGION
        if attribute in KNOWN and of == "string":
            return KNOWN[attribute]
        if attribute == "arn":
            return f"arn:aws:{kind}:{REGION}:{ACCOUNT}:{name}"
        if attribute == "id":
            return name
        if of == "string":
            return f"stub-{attribute}"
        if of == "number":
            return 1
        if of == "bool":
            return False
        return {} if of[0] == "map" else []

    return value


def fill(block, planned, config, prior, value):
    """Give every computed attribute that the configuration leaves out its former value, or one that
    `value` makes up.
    """
    for name, schema in block["attributes"].items():
        if schema.get("computed") and (config or {}).get(name) is None:
            former = (prior or {}).get(name)
            planned[name] = value(name, schema) if former is None else former
    for name, nested in block["block_types"].items():
        inner, wanted, former = planned.get(name), (config or {}).get(name), (prior or {}).get(name)
        if isinstance(inner, dict):
            fill(nested["block"], inner, wanted, former, value)
        elif isinstance(inner, list):
            if not isinstance(former, list) or len(former) != len(inner):
                former = [None] * len(inner)
            for each in zip(inner, wanted or [None] * len(inner), former):
                fill(nested["block"], *each, value)
    return planned


def settle(block, state, value):
    """Put a made-up value in the place of everything that is still unknown."""
    for name, schema in block["attributes"].items():
        if is_unknown(state.get(name)):
            state[name] = value(name, schema)
    for name, nested in block["block_types"].items():
        inner = state.get(name)
        for each in (
            inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) else []
        ):
            settle(nested["block"], each, value)
    return state
