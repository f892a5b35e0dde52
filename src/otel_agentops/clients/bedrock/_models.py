"""Models that a `modelId` of Bedrock names: by an id, or by an ARN of one of eight kinds of resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from otel_agentops.operations import Answer, Attributes

PROVIDER = "aws.bedrock"
SILENT_ANSWER = Answer(None, {})  # an answer came, and tells nothing; `NO_ANSWER` is one that cannot be read


class Model(NamedTuple):
    """The model that a `modelId` stands for.

    Attributes:
        id: The model asked for, as the application wrote it; None if it names a prompt, whose model nobody tells.
        bare_id: The id without ARN, region and version of the API, e.g. `anthropic.claude-sonnet-4-5-20250929-v1`;
            empty for a resource of the account (application profile, provisioned, custom, imported), which hides its
            model.
        prompt: Id and version of a prompt that the service keeps; None if none is used.
    """

    id: str | None
    bare_id: str
    prompt: tuple[str, str | None] | None = None


NO_MODEL = Model(None, "")


class RequestFacts(NamedTuple):
    """The facts of a call beside the body of its request.

    Attributes:
        server: `server.*` attributes.
        model: The model asked for.
        is_streaming: True if the answer comes in events.
        options: The call's parameters, some of which go in headers.
        is_readable: False if the body is a file, which the application and the library alone may read.
    """

    server: Attributes
    model: Model = NO_MODEL
    is_streaming: bool = False
    options: Mapping[str, object] = {}
    is_readable: bool = True


# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html#amazonbedrock-resources-for-iam-policies
_KINDS_WITH_MODEL_ID = frozenset({"foundation-model", "inference-profile"})  # the account's resources have random names
_REGIONS = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "me", "af", "global"})


def parse_model_id(model_id: str) -> Model:
    """Parse a `modelId`; an ARN is `arn:partition:bedrock:region:account:kind/name`."""
    if not model_id.startswith("arn:"):
        return Model(model_id or None, _strip_region_and_version(model_id))
    kind, _, name = model_id.split(":", 5)[-1].partition("/")
    if kind == "prompt":
        prompt_id, _, version = name.partition(":")
        return Model(None, "", (prompt_id, version or None))
    return Model(model_id, _strip_region_and_version(name) if kind in _KINDS_WITH_MODEL_ID else "")


def _strip_region_and_version(name: str) -> str:
    name = name.partition(":")[0]  # anthropic.claude-3-haiku-20240307-v1:0:48k
    region, _, rest = name.partition(".")
    return rest if region in _REGIONS else name
