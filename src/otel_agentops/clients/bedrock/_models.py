"""Which model a `modelId` of Bedrock names, and who made it: an id, or an ARN of one of eight kinds of resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PROVIDER = "aws.bedrock"


class Model(NamedTuple):
    """What a `modelId` says.

    id: the model asked for, as the application wrote it; None where it names a prompt, whose model nobody tells.
    bare: the id without ARN, region and version of the API, e.g. `anthropic.claude-sonnet-4-5-20250929-v1`; empty for a
    resource of the account (application profile, provisioned, custom, imported), which hides its model.
    prompt: id and version of a prompt that is kept by the service, None where none is used.
    """

    id: str | None
    bare: str
    prompt: tuple[str, str | None] | None = None


class Asked(NamedTuple):
    """What a call says beside its body. options: parameters that go in headers."""

    model: Model
    stream: bool = False
    options: Mapping[str, Any] = {}


# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html#amazonbedrock-resources-for-iam-policies
_NAMED = frozenset({"foundation-model", "inference-profile"})  # their names are model ids; the account's are random
_REGIONS = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "me", "af", "global"})


def named(given: str) -> Model:
    """What a `modelId` says; an ARN is `arn:partition:bedrock:region:account:kind/name`."""
    if not given.startswith("arn:"):
        return Model(given or None, _bare(given))
    kind, _, name = given.split(":", 5)[-1].partition("/")
    if kind == "prompt":
        name, _, version = name.partition(":")
        return Model(None, "", (name, version or None))
    return Model(given, _bare(name) if kind in _NAMED else "")


def _bare(name: str) -> str:
    name = name.partition(":")[0]  # anthropic.claude-3-haiku-20240307-v1:0:48k
    region, _, rest = name.partition(".")
    return rest if region in _REGIONS else name
