#!/usr/bin/env python3
"""What the stub provider says is checked against facts of the real one, from its documentation."""

import json
import os
import pathlib
import sys
import traceback

import extract_schema
import policy_document
import values

SCHEMA = json.loads(pathlib.Path(os.environ["TF_STUB_SCHEMA"]).read_text(encoding="utf-8"))


def block(kind):
    return SCHEMA["resource_schemas"][kind]["block"]


def test_the_schema_is_of_the_version_that_is_locked():
    assert SCHEMA["provider_version"] == "6.69.1"
    assert "default_tags" in SCHEMA["provider"]["block"]["block_types"]


def test_required_optional_and_computed_are_told_apart():
    cluster = block("aws_ecs_cluster")["attributes"]
    assert cluster["name"] == {"type": "string", "required": True}
    assert cluster["arn"] == {"type": "string", "computed": True}
    assert block("aws_ecr_repository")["attributes"]["force_delete"] == {
        "type": "bool",
        "optional": True,
    }


def test_types_of_collections():
    assert block("aws_ecs_task_definition")["attributes"]["requires_compatibilities"]["type"] == [
        "set",
        "string",
    ]
    assert block("aws_ecs_cluster")["attributes"]["tags"]["type"] == ["map", "string"]
    assert block("aws_iam_role")["attributes"]["max_session_duration"]["type"] == "number"


def test_blocks_know_how_often_they_come():
    volume = block("aws_ecs_task_definition")["block_types"]["volume"]
    assert volume["nesting_mode"] == "set"
    assert "max_items" not in volume
    platform = block("aws_ecs_task_definition")["block_types"]["runtime_platform"]
    assert platform["max_items"] == 1
    assert "min_items" not in platform
    versioning = block("aws_s3_bucket_versioning")["block_types"]["versioning_configuration"]
    assert versioning["min_items"] == versioning["max_items"] == 1


def test_blocks_within_blocks():
    target = block("aws_scheduler_schedule")["block_types"]["target"]["block"]
    network = target["block_types"]["ecs_parameters"]["block"]["block_types"][
        "network_configuration"
    ]["block"]
    assert network["attributes"]["subnets"] == {"type": ["set", "string"], "required": True}


def test_a_name_that_the_provider_has_not_is_an_error():
    wheel = next(pathlib.Path(os.environ["TF_STUB_SCHEMA"]).parent.glob("wheel-schema/*.whl"))
    try:
        extract_schema.extract(wheel, ["aws_ecs_clutser"])
    except SystemExit as error:
        assert "aws_ecs_clutser" in str(error)
    else:
        raise AssertionError("nothing was said")


def test_a_policy_document_is_rendered_as_the_provider_does():
    document = json.loads(
        policy_document.render(
            {
                "statement": [
                    {
                        "sid": "A",
                        "effect": None,
                        "actions": ["s3:PutObject", "s3:GetObject"],
                        "resources": ["r"],
                        "principals": [{"type": "Service", "identifiers": ["a.amazonaws.com"]}],
                        "condition": [
                            {"test": "StringEquals", "variable": "k", "values": ["b", "a"]}
                        ],
                    }
                ]
            }
        )
    )
    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "A",
                "Effect": "Allow",
                "Principal": {"Service": "a.amazonaws.com"},
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": "r",
                "Condition": {"StringEquals": {"k": ["a", "b"]}},
            }
        ],
    }


def test_documents_are_joined_and_a_doubled_sid_is_refused():
    inner = policy_document.render(
        {"statement": [{"sid": "A", "actions": ["a:b"], "resources": ["*"]}]}
    )
    joined = json.loads(
        policy_document.render(
            {"source_policy_documents": [inner], "statement": [{"sid": "B", "actions": ["a:c"]}]}
        )
    )
    assert [each["Sid"] for each in joined["Statement"]] == ["A", "B"]
    try:
        policy_document.render({"source_policy_documents": [inner, inner]})
    except ValueError as error:
        assert "A" in str(error)
    else:
        raise AssertionError("the doubled Sid was taken")


def test_what_is_computed_is_unknown_in_a_plan_and_stays_after_the_apply():
    of = {
        "attributes": {
            "name": {"type": "string", "required": True},
            "arn": {"type": "string", "computed": True},
        },
        "block_types": {},
    }
    planned = values.fill(
        of, {"name": "a", "arn": None}, {"name": "a", "arn": None}, None, lambda *_: values.UNKNOWN
    )
    assert values.is_unknown(planned["arn"])
    applied = values.settle(of, planned, values.invent("aws_x", {"name": "a"}))
    assert applied["arn"].endswith(":a")
    again = values.fill(
        of,
        {"name": "a", "arn": None},
        {"name": "a", "arn": None},
        applied,
        lambda *_: values.UNKNOWN,
    )
    assert again == applied


def main():
    failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print("ok -", name.removeprefix("test_").replace("_", " "))
        except (AssertionError, KeyError):
            failed += 1
            print("not ok -", name.removeprefix("test_").replace("_", " "))
            print(
                "".join("    " + line for line in traceback.format_exc().splitlines(keepends=True))
            )
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
