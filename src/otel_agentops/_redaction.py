"""Redaction of content: the one step that everything people and models said passes before it leaves the process.

Secrets are replaced by pattern, always. A function of the application, `OTEL_AGENTOPS_REDACT=module:function`, comes
before that; if it cannot be loaded, or fails, the content is left out.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import importlib
import math
import os
import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from otel_agentops._guard import guard

Json: TypeAlias = Any  # what `json.loads` returns
# Attribute name and JSON value to the value that may leave; None to leave it out.
UserFunction: TypeAlias = Callable[[str, Json], Json]

REDACTED = "[redacted]"
_MAX_DEPTH = 64
# Names of members whose value is a secret; the plural of a token is a count.
_NAMES = (
    r"(?:(?:api|access|secret|private)[-_ ]?key|secret|credential|passw(?:or)?d|passphrase)s?|pwd|authorization|token"
    r"|(?:set[-_])?cookie"
)
_SECRETS = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:"
    r"[srp]k[-_](?=[\w-]{0,255}\d)[\w-]{16,}"  # OpenAI, Anthropic, OpenRouter, Stripe
    r"|(?:gh[pousr]|github_pat|glpat|hf|gsk|xai|pplx|r8|npm|pypi|tvly|fw|tgp)[-_](?=[\w-]{0,255}\d)[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}"  # Slack
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"  # AWS
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}"  # Google
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"  # JSON web token
    r"|(?i:bearer|basic)\s+(?=[\w.~+/=-]{0,255}\d)[\w.~+/=-]{16,})"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"  # user and password in a URL
    # A member of JSON or of a Python value inside of a text, perhaps escaped, perhaps cut.
    rf"|(?P<member>(?P<quote>\\{{0,7}}[\"'])[\w.-]{{0,40}}?(?i:{_NAMES})(?P=quote)\s*:\s*(?P<open>\\{{0,7}}[\"']))"
    r"(?:(?!(?P=open))(?:\\.|[^\\]))+"
    r"|(?P<query>[?&](?:[\w.-]*[-_.])?(?i:key|token|secret|sig|signature|credential)=)(?=[^\s\"'&]{0,255}\d)[^\s\"'&]{8,}"
    r"|(?P<name>(?:(?i:(?:api|access|secret|private)[-_ ]?key|client[-_]?secret|(?:access|auth|refresh)[-_]?token"
    r"|passw(?:or)?d)\b\\{0,7}[\"']?\s*[:=]\s*\\{0,7}[\"']?|--(?:api-key|token|secret|password)[ =](?=\S{0,255}\d)))"
    r"(?![\s\"'\[{\\])[^\s\"',;&]{5,}[^\s\"',;&\\]"
    r"|(?P<picture>[A-Za-z0-9+/]{1000,})",  # read in one step: letter by letter it would take a second a megabyte
    re.DOTALL | re.ASCII,  # a letter of a language without blanks may stand before a key
)
_SECRET_NAME = re.compile(rf"(?i)(?:.*[-_. ])?(?:{_NAMES}|(?:access|auth|refresh|bearer|id|session)token)", re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _replace_secret(match: re.Match[str]) -> str:
    kept = match["member"] or match["query"] or match["name"] or ""
    return match["picture"] or kept + REDACTED


def redact_text(text: str) -> str:
    """Return the text with `[redacted]` in the place of each secret that a pattern knows."""
    return _SECRETS.sub(_replace_secret, text)


def copy_json(value: object, change_text: Callable[[str], str] = str, depth: int = 0) -> Json:
    """Return a copy as JSON that shares no list or object with the application; iterators are not read.

    Args:
        value: Any value of the application or of a client.
        change_text: Applied to every text.
        depth: How deep inside the value this one is.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        return change_text(text if text.isascii() else text.encode(errors="replace").decode())  # no lone surrogates
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"byte_size": len(value)}
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {change_text(str(name)): copy_json(member, change_text, depth + 1) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [copy_json(member, change_text, depth + 1) for member in value]
    return copy_json(_read_object(value), change_text, depth + 1)


def _read_object(value: object) -> object:
    """Return what an object that JSON does not have stands for: its value, its members, or its class."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.date, datetime.time, uuid.UUID, decimal.Decimal, os.PathLike)):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
    return dump(exclude_none=True) if callable(dump) else f"<{type(value).__name__}>"


def redact_secrets(value: object) -> Json:
    """Return a copy as JSON without secrets: those in a text, and texts and numbers whose member is named as one."""
    return _blank_members(copy_json(value, redact_text))


def _blank_members(value: Json) -> Json:
    if isinstance(value, dict):
        for name, member in value.items():
            is_list = isinstance(member, list)  # a schema of a secret is an object, and stays
            if not (is_list or isinstance(member, (str, int, float))) or not _is_secret_name(name):
                _blank_members(member)
            elif is_list:
                value[name] = [_blank_members(each) if isinstance(each, (dict, list)) else REDACTED for each in member]
            else:
                value[name] = REDACTED
    elif isinstance(value, list):
        for member in value:
            _blank_members(member)
    return value


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    """Return True if a member of this name is a secret, also if the name is written in camel case."""
    return _SECRET_NAME.fullmatch(_CAMEL.sub("_", name)) is not None


class Redactor:
    """Redaction as it is set for one process.

    user_function: `module:function` of the application; None for the patterns alone.
    """

    def __init__(self, user_function: str | None = None) -> None:
        self._name = user_function
        self._function: UserFunction | None = None
        self._load = guard(load_function)

    def redact(self, name: str, value: object) -> Json:
        """Return what may leave of the value of an attribute, as JSON; None if nothing may."""
        if self._name is None:
            return redact_secrets(value)
        if self._function is None:
            # Loaded with the first content: the module may be the application's own, which is being imported now.
            function = self._load(self._name)
            self._function = _refuse_all if function is None else guard(function, has_content=True)
        return redact_secrets(self._function(name, copy_json(value)))


def _refuse_all(name: str, value: Json) -> None:
    """Leave the content out: whoever wants a function to see it first must not have it go past."""


def load_function(name: str) -> UserFunction:
    """Load `module:function`.

    Raises:
        ValueError: The text has another form, or there is no such function.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise ValueError(f"OTEL_AGENTOPS_REDACT={name!r} is not module:function")
    loaded: Any = importlib.import_module(module)
    for part in path.split("."):
        loaded = getattr(loaded, part, None)
    if not callable(loaded):
        raise ValueError(f"OTEL_AGENTOPS_REDACT={name!r}: there is no such function")
    function: UserFunction = loaded
    return function
