"""A tool has one identity in every spelling: from a Python function, in Google's types, as plain JSON schema."""

from __future__ import annotations

from typing import Any, Literal, Optional

import pytest
from both import done
from google.genai import types

from otel_agentops._hashing import identity
from otel_agentops.clients._protocols import openai_chat
from otel_agentops.clients.google_genai import normalise_tool
from otel_agentops.clients.google_genai._schema import normalise_schema
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

OFF: Any = {"automatic_function_calling": {"disable": True}}
SCHEMA: Any = {
    "type": "object",
    "properties": {
        "town": {"type": "string"},
        "days": {"type": "integer", "default": 1},
        "unit": {"enum": ["celsius", "fahrenheit"], "type": "string", "default": "celsius"},
        "tags": {"anyOf": [{"items": {"type": "string"}, "type": "array"}, {"type": "null"}], "default": None},
    },
    "required": ["town"],
}
GOOGLE = types.Schema(
    type="OBJECT",  # type: ignore[arg-type]
    properties={
        "town": types.Schema(type="STRING"),  # type: ignore[arg-type]
        "days": types.Schema(type="INTEGER", default=1),  # type: ignore[arg-type]
        "unit": types.Schema(type="STRING", enum=["celsius", "fahrenheit"], default="celsius"),  # type: ignore[arg-type]
        "tags": types.Schema(type="ARRAY", nullable=True, items=types.Schema(type="STRING")),  # type: ignore[arg-type]
    },
    required=["town"],
)
NAMED: Any = {"name": "weather", "description": "The weather in a town."}


def weather(
    town: str,
    days: int = 1,
    unit: Literal["celsius", "fahrenheit"] = "celsius",
    tags: Optional[list[str]] = None,  # noqa: UP045  of the newer spelling 1.32 makes a schema that requires nothing
) -> str:
    """The weather in a town."""
    return "sunny"


def declared(**schema: Any) -> Any:
    return types.Tool(function_declarations=[types.FunctionDeclaration(**NAMED, **schema)])


OPENAI = identity(openai_chat.normalise_tool({"type": "function", "function": {**NAMED, "parameters": SCHEMA}}))
SPELLINGS = {
    "function": weather,
    "google": declared(parameters=GOOGLE),
    "schema": declared(parameters_json_schema=SCHEMA),
    "dictionary": {"function_declarations": [{**NAMED, "parameters": GOOGLE.model_dump(exclude_none=True)}]},
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
async def test_tool_spellings_have_one_hash(seen: Capture, gemini: Any, vertex: Any, spelling: str) -> None:
    """As openai's client sends it, too; on Vertex the same, where the client adds the schema of the result."""
    for client in (gemini, vertex):
        config = {**OFF, "tools": [SPELLINGS[spelling]]}
        await done(client.models.generate_content(model="gemini-x", contents="hi", config=config))
    assert [found["attributes"]["otel_agentops.tools.versions"] for found in seen.spans] == [[f"weather@{OPENAI}"]] * 2


async def test_built_in_tools(seen: Capture, gemini: Any) -> None:
    config = {**OFF, "tools": [{"google_search": {}}, {"code_execution": {}}, weather]}
    await done(gemini.models.generate_content(model="gemini-x", contents="hi", config=config))
    search, code = (identity({"name": name, "settings": {}}) for name in ("googleSearch", "codeExecution"))
    expected = [f"googleSearch@{search}", f"codeExecution@{code}", f"weather@{OPENAI}"]
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.tools.versions"] == expected


async def test_forced_tool_is_a_parameter(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    """It is a parameter; beside it may be where the user is, which is none."""
    forced = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}}
    config = {**OFF, "tools": [weather], "tool_config": forced}
    await done(gemini.models.generate_content(model="gemini-x", contents="hi", config=config))
    (only,) = seen.spans
    sent = {"mode": "ANY", "allowedFunctionNames": ["weather"]}
    assert only["attributes"]["otel_agentops.params.hash"] == identity({"toolConfig": sent})


@pytest.mark.parametrize(
    ("google", "plain"),
    [
        ({"type": "STRING", "min_length": 1, "maxLength": 3}, {"type": "string", "minLength": 1, "maxLength": 3}),
        ({"any_of": [{"type": "INTEGER"}, {"type": "STRING"}], "type": "OBJECT"},
         {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ({"any_of": [{"type": "INTEGER"}], "nullable": True, "description": "d"},
         {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "d"}),
        ({"defs": {"a": {"type": "NUMBER"}}, "ref": "#/$defs/a"},
         {"$defs": {"a": {"type": "number"}}, "$ref": "#/$defs/a"}),
        ({"type": "OBJECT", "properties": {"user_id": {"type": "STRING"}}, "additional_properties": False},
         {"type": "object", "properties": {"user_id": {"type": "string"}}, "additionalProperties": False}),
        ("no schema", "no schema"),
    ],
)  # fmt: skip
def test_schema_in_googles_spelling_is_normalised(google: Any, plain: Any) -> None:
    """The names of properties are the application's, whatever they look like."""
    assert normalise_schema(google) == plain


def test_a_function_without_parameters() -> None:
    assert normalise_tool({"name": "now", "description": "d"}) == {"name": "now", "description": "d"}
