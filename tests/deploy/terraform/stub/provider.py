#!/usr/bin/env python3
"""The AWS provider's schema without AWS behind it: Terraform itself checks a configuration against
it, plans, and applies into thin air.

The schema is read from the file that TF_STUB_SCHEMA names. Computed attributes are unknown in a
plan, and made up by an apply. What only AWS knows is not checked: which values an argument takes,
limits on names, which resource refuses which other.
"""

import json
import os
import pathlib
import sys
import zlib

import msgpack
import policy_document
import values
from tf import provider as framework
from tf import runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

SCHEMA = json.loads(pathlib.Path(os.environ["TF_STUB_SCHEMA"]).read_text(encoding="utf-8"))
RESOURCES, DATA_SOURCES = SCHEMA["resource_schemas"], SCHEMA["data_source_schemas"]
NESTING = {"single": 1, "list": 2, "set": 3}


def unpack(value):
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)
    return json.loads(value.json) if value.json else None


def pack(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def block(given):
    result = pb.Schema.Block(version=0)
    for name, attribute in sorted(given["attributes"].items()):
        flags = {flag: attribute.get(flag, False) for flag in ("required", "optional", "computed")}
        result.attributes.append(
            pb.Schema.Attribute(name=name, type=json.dumps(attribute["type"]).encode(), **flags)
        )
    for name, nested in sorted(given["block_types"].items()):
        limits = {limit: nested.get(limit, 0) for limit in ("min_items", "max_items")}
        result.block_types.append(
            pb.Schema.NestedBlock(
                type_name=name,
                block=block(nested["block"]),
                nesting=NESTING[nested["nesting_mode"]],
                **limits,
            )
        )
    return result


def schemas(given):
    return {
        name: pb.Schema(version=schema["version"], block=block(schema["block"]))
        for name, schema in given.items()
    }


class Servicer(rpc.ProviderServicer):
    """Terraform's provider protocol, version 6. Arguments are the request and the connection, which
    nothing here needs.
    """

    def __init__(self, *_):
        pass

    def GetMetadata(self, *_):
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(plan_destroy=True),
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in RESOURCES],
            data_sources=[
                pb.GetMetadata.DataSourceMetadata(type_name=name) for name in DATA_SOURCES
            ],
        )

    def GetProviderSchema(self, *_):
        provider = schemas({"provider": SCHEMA["provider"]})["provider"]
        return pb.GetProviderSchema.Response(
            provider=provider,
            resource_schemas=schemas(RESOURCES),
            data_source_schemas=schemas(DATA_SOURCES),
        )

    def ValidateProviderConfig(self, *_):
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, *_):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, *_):
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, *_):
        return pb.ConfigureProvider.Response()

    def GetFunctions(self, *_):
        return pb.GetFunctions.Response()

    def StopProvider(self, *_):
        return pb.StopProvider.Response()

    def UpgradeResourceState(self, request, _):
        return pb.UpgradeResourceState.Response(
            upgraded_state=pack(json.loads(request.raw_state.json))
        )

    def ReadResource(self, request, _):
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request, _):
        planned = unpack(request.proposed_new_state)
        if planned is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        of = RESOURCES[request.type_name]["block"]
        values.fill(
            of,
            planned,
            unpack(request.config),
            unpack(request.prior_state),
            lambda *_: values.UNKNOWN,
        )
        return pb.PlanResourceChange.Response(planned_state=pack(planned))

    def ApplyResourceChange(self, request, _):
        state = unpack(request.planned_state)
        if state is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        value = values.invent(request.type_name, unpack(request.config))
        return pb.ApplyResourceChange.Response(
            new_state=pack(values.settle(RESOURCES[request.type_name]["block"], state, value))
        )

    def ReadDataSource(self, request, _):
        config = unpack(request.config)
        value = values.invent(request.type_name, config)
        state = values.fill(
            DATA_SOURCES[request.type_name]["block"], dict(config), config, None, value
        )
        if request.type_name == "aws_iam_policy_document":
            try:
                state["json"] = policy_document.render(config)
            except ValueError as error:
                return pb.ReadDataSource.Response(
                    diagnostics=[pb.Diagnostic(severity=1, summary=str(error))]
                )
            state["minified_json"] = json.dumps(json.loads(state["json"]), separators=(",", ":"))
            state["id"] = str(zlib.crc32(state["json"].encode()))
        return pb.ReadDataSource.Response(state=pack(state))


class Provider:
    def full_name(self):
        return "registry.terraform.io/hashicorp/aws"


if __name__ == "__main__":
    # The framework wants every resource as a class of its own; here they come from a file.
    framework.ProviderServicer = Servicer
    runner.run_provider(Provider(), sys.argv)
