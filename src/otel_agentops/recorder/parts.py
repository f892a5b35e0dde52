"""Parts of entries from what a client hands over: bytes as they are, objects as JSON; cut, and redacted if asked for.

All of this runs on the writer's thread.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from otel_agentops._hashing import identity
from otel_agentops._redaction import redact_secrets
from otel_agentops.recorder.cutting import Cutter
from otel_agentops.recorder.entries import OBJECT, OFF, REDACTED, WIRE
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.segment import PartData

# Headers of an answer that are recorded: ids, limits and who served it; never one that could hold a credential.
_HEADERS = frozenset([
    "anthropic-organization-id", "apim-request-id", "cf-ray", "content-type", "date",
    "fireworks-server-processing-time", "openai-model", "openai-organization", "openai-processing-ms",
    "openai-version", "request-id", "retry-after", "retry-after-ms", "server", "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-invocation-latency", "x-amzn-bedrock-output-token-count", "x-amzn-requestid", "x-groq-region",
    "x-ms-region", "x-ms-served-model", "x-request-id", "x-trace-id",
])  # fmt: skip
_UNCUT = frozenset({"chunks", "stream"})  # no text of JSON
_HEADER_STARTS = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit-", "x-ms-ratelimit-")


def serialise(value: object) -> bytes:
    """Return an object of a client as JSON, with the members that came over the wire alone; bytes as they are."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    dump = getattr(value, "model_dump_json", None)
    if dump is not None and not isinstance(value, type):
        text: str = dump(exclude_unset=True, by_alias=True, warnings=False)
        return text.encode(errors="surrogatepass")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_reduce).encode(errors="surrogatepass")


def _reduce(value: Any) -> Any:
    """Return what JSON has in the place of an object."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    for name in ("model_dump", "to_dict", "dict"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            return method()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "DESCRIPTOR"):
        return read_message(value)
    if isinstance(proto := getattr(value, "proto", getattr(value, "_proto", None)), object) and hasattr(
        proto, "DESCRIPTOR"
    ):
        return read_message(proto)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, tuple)) or hasattr(value, "__iter__"):
        return list(value) if isinstance(value, Sequence) else f"<{type(value).__name__}>"
    return str(value)


def read_message(message: Any) -> Any:
    """Return a protobuf message as JSON has it."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    return MessageToDict(message, preserving_proto_field_name=True)


def _parse_documents(data: bytes) -> list[dict[str, Any]]:
    """Return the documents of a part; none if it is something else."""
    try:
        documents = json.loads(data)
    except (ValueError, RecursionError):
        return []
    is_listed = isinstance(documents, list) and all(isinstance(document, dict) for document in documents)
    return documents if is_listed else []


def select_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are recorded."""
    lowered = {str(name).lower(): str(value) for name, value in headers.items()}
    return {name: value for name, value in lowered.items() if name in _HEADERS or name.startswith(_HEADER_STARTS)}


class PartMaker:
    """Makes the parts of entries as the modes of their classes want them.

    Args:
        modes: The mode of each class of content: full, redacted, hashes or off.
        redactor: Redacts pieces; needed for the mode redacted alone.
        hash_key: The project's key; None if it has none.
    """

    def __init__(self, modes: Mapping[str, str], redactor: PieceRedactor | None, hash_key: bytes | None) -> None:
        self._modes = modes
        self._redactor = redactor
        self._hash_key = hash_key
        self._cutter = Cutter()

    def make(
        self, name: str, data: bytes, lane: Hashable, kind: str | None = None, *, form: str = WIRE, **facts: Any
    ) -> PartData | None:
        """Return a part; None if it may not be kept at all.

        Args:
            name: Its name.
            data: Its bytes.
            lane: The conversation that it belongs to.
            kind: The class of its content; None if that is its name.
            form: wire or object.
            facts: Further members of its manifest.
        """
        mode = self._modes[kind or name]
        is_found = name == "documents" and mode != "off"
        if mode == "off":
            return PartData(name, (), {"form": OFF, "byte_size": 0})  # it was there: that alone is said
        if mode == "hashes":
            digest = (
                {"sha256": hashlib.sha256(data).hexdigest()}
                if self._hash_key is None
                else {"hmac": hmac.digest(self._hash_key, data, "sha256").hex()}
            )
            if is_found:
                facts["found"] = self._describe_found(data, None)
            return PartData(name, (), {**facts, "form": form, "byte_size": len(data), **digest})
        pieces = self._cutter.cut(data, (lane, name)) if name not in _UNCUT else [data]
        if mode == "redacted":
            assert self._redactor is not None
            redacted = self._redactor.redact_body(name, pieces)
            if redacted is None:
                return None
            if redacted is not pieces:
                pieces, form = list(redacted), REDACTED
        if is_found:
            facts["found"] = self._describe_found(data, b"".join(pieces))
        return PartData(name, pieces, {**facts, "form": form})

    def _describe_found(self, data: bytes, kept: bytes | None) -> list[dict[str, Any]]:
        """Return id, score and hash of each document, as `FoundChunk` has them.

        Without the project's key the hash of a text that was redacted is that of what is left: who has the hash of the
        whole could guess the secret.

        Args:
            data: The documents as they were found.
            kept: What is recorded of them; None if hashes alone are.
        """
        shown = _parse_documents(data if kept is None else kept)
        whole = shown if self._hash_key is None else _parse_documents(data)
        found = []
        for document, source in zip(shown, whole if len(whole) == len(shown) else shown, strict=True):
            numbers = {name: document.get(name) for name in ("score", "distance")}
            chunk = {name: value for name, value in numbers.items() if isinstance(value, (int, float))}
            id_hash, text_hash = self._identify(source.get("id")), self._identify(source.get("content"))
            members = {"id_hash": id_hash, **chunk} if kept is None else {"id": document.get("id"), **chunk}
            members = {**members, "hash": text_hash}
            found.append({name: value for name, value in members.items() if value is not None})
        return found

    def _identify(self, text: object) -> str | None:
        """Return the identity of a text; None of anything else, and of one with half a character."""
        try:
            return identity(text, self._hash_key) if isinstance(text, str) else None
        except ValueError:
            return None

    def make_headers(self, headers: Mapping[str, str]) -> PartData | None:
        """Return the headers of an answer, which are short enough to be in the manifest itself."""
        selected = redact_secrets(select_headers(headers))
        if self._redactor is not None and "redacted" in self._modes.values():
            selected = self._redactor.redact_headers(selected)
            if selected is None:
                return None
        if self._modes["headers"] in ("off", "hashes"):
            return self.make("headers", serialise(selected), None, form=OBJECT)
        return PartData("headers", (), {"form": OBJECT, "value": selected, "byte_size": 0})

    def make_chunks(
        self, chunks: Sequence[tuple[int, object]], start_ns: int, lane: Hashable, kind: str
    ) -> PartData | None:
        """Return the chunks of a stream as one part, a line each."""
        lines = [serialise(chunk).replace(b"\n", b" ") for _, chunk in chunks]
        times = [time_ns - start_ns for time_ns, _ in chunks]
        if self._modes[kind] == "redacted":
            assert self._redactor is not None
            redacted = self._redactor.redact_chunks(lines)
            if redacted is None:
                return None
            form, lines = (OBJECT, lines) if redacted is lines else (REDACTED, redacted)
            return PartData("chunks", [b"\n".join(lines)], {"form": form, "times_ns": times})
        return self.make("chunks", b"\n".join(lines), lane, kind, form=OBJECT, times_ns=times)
