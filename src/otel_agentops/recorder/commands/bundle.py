"""A bundle: some entries with all of their content in one JSON document, alone in a file or in a page.

    {
      "format": "otel-agentops-bundle/1",
      "source": {"trace_id": "…", "exported_ns": 0, "is_redacted": true},
      "writers": {"<writer>": {"service": …, "mode": …, "verifier_key": …, "checkpoint": "<signed note>"}},
      "pieces": ["{\\"model\\":", …, {"base64": "…"}],
      "entries": [{"writer": …, "index": 0, "line": "<the bytes of the leaf>", "proof": ["<hex>", …], "trouble": "",
                   "manifest": "<the bytes of the commitment>",
                   "parts": [{"name": "request", "attempt": 0, "form": "wire", …, "pieces": [0, 1]}]}]
    }

A part is the concatenation of its pieces; one without `pieces` was kept as a hash. The path in `proof` leads from
SHA-256(0x00 ‖ line) to the root of the writer's checkpoint (RFC 9162, 2.1.3.2); it is absent if the checkpoint was not
at hand or the line was redacted. `manifest` is what `commitment` in the line is the SHA-256 of, and has the SHA-256 of
each part; it is absent if content was redacted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops._redaction import Redactor, redact_secrets
from otel_agentops._yaml import InputError
from otel_agentops.recorder.commands.index import RecordIndex
from otel_agentops.recorder.commands.steps import Step, choose_call, load_steps
from otel_agentops.recorder.cutting import Cutter
from otel_agentops.recorder.entries import REDACTED, Entry, FoundChunk, Part
from otel_agentops.recorder.notes import parse_checkpoint
from otel_agentops.recorder.reading import open_segments, parse_entry, read_head
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.segment import SegmentError, iterate_lines
from otel_agentops.recorder.tree import hash_leaf, prove_inclusion

FORMAT = "otel-agentops-bundle/1"
_DATA = re.compile(r'<script type="application/json" id="bundle"(?P<kind>[^>]*)>(?P<data>.*?)</script>', re.DOTALL)


class Bundle(NamedTuple):
    """Entries that stand alone.

    Attributes:
        steps: In the order in which they began.
        source: Where they are from.
        writers: Facts of the processes that wrote them, by id.
        proofs: Paths to the root of the writer's checkpoint, by ref.
    """

    steps: Sequence[Step]
    source: Mapping[str, Any] = {}
    writers: Mapping[str, Mapping[str, Any]] = {}
    proofs: Mapping[str, Sequence[str]] = {}

    @property
    def is_redacted(self) -> bool:
        """Return True if secrets were taken out when it was made."""
        return bool(self.source.get("is_redacted"))


def load_bundle(text: str, index: RecordIndex | None = None) -> tuple[Bundle, int | None]:
    """Load what a command line names: a bundle's file, or a trace of an index; `#3` behind it is its third call.

    Args:
        text: The name.
        index: Of the recorder's directory; None to look for a file alone.

    Returns:
        The bundle, and the number of the call, from 1; None if none is named.

    Raises:
        InputError: There is no such file or trace, or the file is no bundle.
    """
    name, _, number = text.rpartition("#") if re.search(r"#\d+$", text) else (text, "", "")
    call = int(number) if number else None
    path = Path(name)
    if path.suffix in (".json", ".html"):
        return read_bundle(path), call
    if index is None:
        raise InputError(f"{name}: a bundle is a .json or .html file, made by `otel-agentops record export`")
    wanted = index.find_traces(name)
    if wanted is None:
        raise InputError(f"{name}: no trace, task, conversation or ref is called so in {index.root}")
    return make_bundle(index.load_entries(index.find_rows(wanted)), name), call


def choose_steps(bundle: Bundle, number: int | None, name: str) -> Bundle:
    """Return a bundle with one of its calls alone; all of it if no number is given.

    Raises:
        InputError: There is no such call.
    """
    return bundle if number is None else bundle._replace(steps=[choose_call(bundle.steps, number, name)])


def make_bundle(entries: Sequence[Entry], name: str) -> Bundle:
    """Return entries as a bundle.

    Args:
        entries: From segments.
        name: What somebody asked for.
    """
    writers: dict[str, dict[str, Any]] = {}
    proofs: dict[str, Sequence[str]] = {}
    for segment in {id(entry.segment): entry.segment for entry in entries if entry.segment is not None}.values():
        head = read_head(segment)
        facts = writers.setdefault(
            head.writer,
            {"service": head.service, "service_version": head.service_version, "resource": dict(head.resource),
             "mode": head.mode, "verifier_key": head.verifier_key},
        )  # fmt: skip
        if "checkpoint" not in facts and segment.foot is not None:
            proofs |= _prove_entries(entries, head.writer, segment.path.parent.parent.parent.parent, facts)
    traces = {entry.trace_id for entry in entries if entry.trace_id}
    source = {
        "asked_for": name,
        "trace_id": next(iter(traces)) if len(traces) == 1 else None,
        "exported_ns": time.time_ns(),
        "is_redacted": False,
    }
    return Bundle(load_steps(entries), source, writers, proofs)


def _prove_entries(
    entries: Sequence[Entry], writer: str, root: Path, facts: dict[str, Any]
) -> dict[str, Sequence[str]]:
    """Return the paths of a writer's entries to its newest checkpoint, which is added to its facts."""
    leaves: list[bytes] = []
    files = sorted(root.glob(f"v1/*/*/{writer}-*.seg"), key=lambda file: int(file.stem.rpartition("-")[2]))
    with suppress(SegmentError):  # a damaged one ends what can be proved
        for segment in chain.from_iterable(map(open_segments, files)):
            if segment.foot is None or read_head(segment).first_index != len(leaves):
                break
            for _, lines in iterate_lines(segment.frames):  # also kinds that this version does not know
                leaves += map(hash_leaf, lines)
            if parse_checkpoint(segment.foot["checkpoint"]).size == len(leaves):
                facts["checkpoint"] = segment.foot["checkpoint"]
    if "checkpoint" not in facts:
        return {}
    leaves = leaves[: parse_checkpoint(facts["checkpoint"]).size]
    own = [entry for entry in entries if entry.ref.startswith(f"{writer}/") and entry.index < len(leaves)]
    return {entry.ref: [node.hex() for node in prove_inclusion(leaves, entry.index)] for entry in own}


def redact_bundle(bundle: Bundle, user_function: str | None = None) -> Bundle:
    """Return a bundle without secrets; an entry whose clear head had one loses its proof.

    Args:
        bundle: Any bundle.
        user_function: `module:function` of the user, which comes before the patterns; None for the patterns alone.
    """
    redactor = PieceRedactor(Redactor(user_function))
    steps = []
    proofs = dict(bundle.proofs)
    for step in bundle.steps:
        line = json.dumps(redact_secrets(json.loads(step.entry.line)), ensure_ascii=False, separators=(",", ":"))
        entry = step.entry
        if json.loads(line) != json.loads(entry.line):
            proofs.pop(entry.ref, None)
            entry = replace(entry, line=line.encode(), attributes=redact_secrets(dict(entry.attributes)))
        pairs = [redact_part(redactor, part, content) for part, content in zip(step.parts, step.contents, strict=True)]
        parts, contents = tuple(part for part, _ in pairs), tuple(content for _, content in pairs)
        manifest = step.manifest if contents == tuple(step.contents) else None  # its hashes are of the secrets
        steps.append(Step(entry, parts, contents, step.trouble, manifest))
    writers = {
        writer: {**facts, "resource": redact_secrets(facts.get("resource"))} for writer, facts in bundle.writers.items()
    }
    return Bundle(steps, {**bundle.source, "is_redacted": True}, writers, proofs)


def redact_part(redactor: PieceRedactor, part: Part, content: bytes | None) -> tuple[Part, bytes | None]:
    """Return a part and its bytes without secrets; the bytes are None if nothing of them may stay."""
    if content is None:
        return part, None
    if part.name == "chunks":
        lines = redactor.redact_chunks(content.split(b"\n")) if content else []
        redacted = None if lines is None else b"\n".join(lines)
    elif part.name == "stream":
        redacted = content if _is_clean_stream(redactor, content) else None
    else:
        redacted = redact_body(redactor, part.name, content)
    if redacted == content:
        return part, content
    digest = None if redacted is None else hashlib.sha256(redacted).hexdigest()
    clean = replace(part, form=REDACTED, byte_size=len(redacted or b""), sha256=digest, hmac=None, found=())
    return clean, redacted


def _is_clean_stream(redactor: PieceRedactor, content: bytes) -> bool:
    """Return True if no secret is in the bytes of a stream, also none that is spread over its events."""
    payloads = [line for line in map(_read_payload, content.splitlines()) if line is not None]
    return redactor.redact_chunks(payloads) == payloads and redact_body(redactor, "stream", content) == content


def _read_payload(line: bytes) -> bytes | None:
    """Return the JSON of a line of a stream; None if it has none, as `[DONE]`."""
    payload = line.removeprefix(b"data:").strip()
    try:
        json.loads(payload)
    except ValueError:
        return None
    return payload


def redact_body(redactor: PieceRedactor, name: str, content: bytes) -> bytes | None:
    """Return a body without secrets; None if nothing of it may stay."""
    pieces = redactor.redact_body(name, Cutter().cut(content, ("", name)))
    return None if pieces is None else b"".join(pieces)


def dump_bundle(bundle: Bundle) -> dict[str, Any]:
    """Return a bundle as JSON has it."""
    pieces: dict[bytes, int] = {}
    cutter = Cutter()
    entries = []
    for step in bundle.steps:
        writer = step.entry.ref.partition("/")[0]
        parts = []
        for part, content in zip(step.parts, step.contents, strict=True):
            facts = {name: getattr(part, name) for name in Part.__dataclass_fields__}
            facts["found"] = tuple(map(asdict, part.found))
            described = {name: value for name, value in facts.items() if value not in (None, ())}
            if content is not None:
                slices = _cut_text(cutter, content, part.name)
                described["pieces"] = [pieces.setdefault(piece, len(pieces)) for piece in slices]
            parts.append(described)
        entry: dict[str, Any] = {"writer": writer, "index": step.entry.index, "line": _dump_piece(step.entry.line)}
        if step.entry.ref in bundle.proofs:
            entry["proof"] = bundle.proofs[step.entry.ref]
        if step.manifest is not None:
            entry["manifest"] = _dump_piece(step.manifest)
        entries.append({**entry, "trouble": step.trouble, "parts": parts})
    return {
        "format": FORMAT,
        "source": bundle.source,
        "writers": bundle.writers,
        "pieces": list(map(_dump_piece, pieces)),
        "entries": entries,
    }


def _cut_text(cutter: Cutter, content: bytes, name: str) -> Sequence[bytes]:
    """Return slices of a text none of which ends inside a character."""
    slices = cutter.cut(content, ("", name))
    return slices if all(isinstance(_dump_piece(piece), str) for piece in slices) else [content]


def _dump_piece(piece: bytes) -> object:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(piece).decode()}


def _parse_piece(piece: Any) -> bytes:
    return piece.encode() if isinstance(piece, str) else base64.b64decode(piece["base64"])


def parse_bundle(document: object, name: str) -> Bundle:
    """Return the bundle of a document.

    Raises:
        InputError: It is no bundle, or one of a later version.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(
            f"{name}: this is no bundle of the format {FORMAT}; make one with `otel-agentops record export`"
        )
    try:
        pieces = list(map(_parse_piece, document["pieces"]))
        steps: list[Step] = []
        proofs: dict[str, Sequence[str]] = {}
        for described in document["entries"]:
            for step in _parse_step(described, pieces):
                steps.append(step)
                if "proof" in described:
                    proofs[step.entry.ref] = described["proof"]
        return Bundle(steps, document["source"], document["writers"], proofs)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{name}: the bundle is damaged ({type(error).__name__}: {error}); export it again") from None


def _parse_step(document: Mapping[str, Any], pieces: Sequence[bytes]) -> Iterable[Step]:
    line = _parse_piece(document["line"])
    entry = parse_entry(line, document["writer"], document["index"], {"line": line})
    if entry is None:
        return
    parts, contents = [], []
    for described in document["parts"]:
        facts = {name: value for name, value in described.items() if name != "pieces"}
        found = tuple(FoundChunk(**chunk) for chunk in facts.get("found", ()))
        parts.append(Part(**{**facts, "times_ns": tuple(facts.get("times_ns", ())), "found": found}))
        numbers = described.get("pieces")
        contents.append(None if numbers is None else b"".join(pieces[number] for number in numbers))
    manifest = _parse_piece(document["manifest"]) if "manifest" in document else None
    yield Step(entry, tuple(parts), tuple(contents), document.get("trouble", ""), manifest)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle from a file: JSON, or a page that has it inside.

    Raises:
        InputError: The file cannot be read, or there is no bundle in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: this is no text; name a bundle") from None
    if path.suffix == ".html":
        match = _DATA.search(text)
        if match is None:
            raise InputError(f"{path}: no bundle is in this page; export one with `otel-agentops record export --html`")
        text = unpack_data(match["data"], is_packed="data-packed" in match["kind"])
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: this is no JSON: {error}; export the bundle again") from None
    return parse_bundle(document, str(path))


def unpack_data(text: str, *, is_packed: bool) -> str:
    """Return the JSON of a page's data."""
    import gzip

    return gzip.decompress(base64.b64decode(text)).decode() if is_packed else text
