"""Segments: the files of the flight recorder. docs/recorder-format.md describes every byte.

A segment is a magic line and frames. A frame has a fixed header, a block of heads (one JSON line an entry) and a block
of content (pieces, recipes and manifests). Each frame has the hash of the one before, so that a file that was cut or
changed is read up to there. All that an entry needs is in its own segment.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from otel_agentops.recorder import codec
from otel_agentops.recorder.tree import Frontier, hash_bytes, hash_leaf

FORMAT = 2
MAGIC = b"otel-agentops recorder 2\n"
HEAD, DATA, FOOT = b"H", b"D", b"F"
NO_KEY = bytes(8)
# Bytes of the body, of these the heads; number of the first piece; kind, codec, 1 if the second block begins a stream;
# key; hash of the frame before; CRC-32 of all before it and of the body.
_HEADER = struct.Struct(">IIIcB?x8s32sI")
HEADER_SIZE = _HEADER.size
STRIPPED, SEALED_DIGEST = "stripped", "sealed_digest"  # members of the footer of a segment that lost content
_LARGEST = 1 << 30  # bytes of a body: more is a torn length
_MOST_RECIPES = 256  # that later ones may refer to
_MOST_STREAMS = 16  # of keys whose content is compressed with what came before: each takes 3 MB
FULL_FRAME = 65_536  # bytes of heads and content before compression


class Frame(NamedTuple):
    """One frame of a segment as it is on disk.

    Attributes:
        kind: HEAD, DATA or FOOT.
        codec: Of both blocks.
        begins_stream: True if the second block has no history.
        key: Id of the key that the content is encrypted with; `NO_KEY` if it is not.
        first_piece: The number of its first piece, among those of its key.
        heads: The first block, as it is on disk.
        content: The second block, as it is on disk.
        previous: Hash of the frame before; of the first one that of the segment before.
        digest: Its own hash.
        end: Where it ends in the file.
    """

    kind: bytes
    codec: int
    begins_stream: bool
    key: bytes
    first_piece: int
    heads: bytes
    content: bytes
    previous: bytes
    digest: bytes
    end: int


def pack_frame(
    kind: bytes,
    heads: bytes,
    previous: bytes,
    content: bytes = b"",
    codec_number: int = codec.RAW,
    key: bytes = NO_KEY,
    first_piece: int = 0,
    begins_stream: bool = False,
) -> bytes:
    """Return the bytes of a frame; both blocks are given as they are to be on disk."""
    size = len(heads) + len(content)
    head = _HEADER.pack(size, len(heads), first_piece, kind, codec_number, begins_stream, key, previous, 0)[:-4]
    check = zlib.crc32(content, zlib.crc32(heads, zlib.crc32(head)))
    return b"".join((head, check.to_bytes(4, "big"), heads, content))


def iterate_frames(file: BinaryIO) -> Iterator[Frame]:
    """Yield the frames of a segment up to the first one that is torn, or does not follow on the one before."""
    if file.read(len(MAGIC)) != MAGIC:
        return
    end, digest = len(MAGIC), b""
    while len(head := file.read(HEADER_SIZE)) == HEADER_SIZE:
        size, heads_size, first_piece, kind, number, begins_stream, key, previous, check = _HEADER.unpack(head)
        if size > _LARGEST or heads_size > size or (digest and previous != digest):
            return
        body = file.read(size)
        if len(body) != size or zlib.crc32(body, zlib.crc32(head[:-4])) != check:
            return
        end += HEADER_SIZE + size
        digest = hashlib.sha256(head + body).digest()
        heads, content = body[:heads_size], body[heads_size:]
        yield Frame(kind, number, begins_stream, key, first_piece, heads, content, previous, digest, end)


def iterate_lines(frames: Iterable[Frame]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the number of each frame that has entries, and their heads, one JSON text each."""
    stream: codec.Decompressor | None = None
    for number, frame in enumerate(frames):
        if frame.kind == DATA:
            stream = stream or codec.Decompressor(frame.codec)
            yield number, stream.decompress(frame.heads).split(b"\n")


class PartData(NamedTuple):
    """One part of an entry's content on its way to disk.

    Attributes:
        name: Its name.
        pieces: Slices whose concatenation it is.
        facts: Further members of its manifest: attempt, form, times.
    """

    name: str
    pieces: Sequence[bytes]
    facts: Mapping[str, Any]


class Cipher(Protocol):
    """An encryption of content blocks under one key."""

    @property
    def id(self) -> bytes:
        """Return the id of the key."""

    def encrypt(self, block: bytes, associated: bytes) -> bytes:
        """Return a block encrypted."""


class KeySpace:
    """The pieces that the frames of one key have so far, and the entries that wait for the next."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.pieces: list[bytes] = []
        self.recipe_count = 0
        self.last_recipes: OrderedDict[Hashable, tuple[int, list[int]]] = OrderedDict()
        self.first_piece = 0
        self.lines: list[bytes] = []
        self.manifests: list[bytes] = []
        self.entry_recipes: list[list[Any]] = []
        self.size = 0

    def add_entry(self, line: bytes, manifest: bytes, recipes: list[list[Any]]) -> None:
        """Add an entry to the next frame."""
        self.lines.append(line)
        self.manifests.append(manifest)
        self.entry_recipes.append(recipes)
        self.size += len(manifest)

    def add_recipe(self, name: str, pieces: Sequence[bytes], lane: Hashable) -> list[Any]:
        """Return how to rebuild a part: as much of an earlier recipe as is the same, and the pieces between."""
        numbers = []
        for piece in pieces:
            number = self.numbers.get(piece)
            if number is None:
                number = self.numbers[piece] = len(self.numbers)
                self.pieces.append(piece)
                self.size += len(piece)
            numbers.append(number)
        last = self.last_recipes
        recipe: list[Any] = [numbers]
        latest = last.get((lane, name)) or last.get(name)
        if latest is not None:
            base_number, base = latest
            shorter = min(len(base), len(numbers))
            head = next((place for place in range(shorter) if base[place] != numbers[place]), shorter)
            most = shorter - head
            tail = next((place for place in range(most) if base[-1 - place] != numbers[-1 - place]), most)
            if head + tail > 3:
                recipe = [numbers[head : len(numbers) - tail], base_number, head, tail]
        for key in ((lane, name), name):
            last[key] = self.recipe_count, numbers
            last.move_to_end(key)
        while len(last) > _MOST_RECIPES:
            last.popitem(last=False)
        self.recipe_count += 1
        return recipe

    def take_texts(self) -> tuple[bytes, bytes] | None:
        """Return the second block of the next frame, as two texts that differ in kind; None if it has no content."""
        texts = None
        if any(self.entry_recipes):
            table = {"pieces": list(map(len, self.pieces)), "recipes": self.entry_recipes}
            texts = b"\n".join((dump_line(table), *self.manifests, b"")), b"".join(self.pieces)
        self.first_piece += len(self.pieces)
        self.lines, self.manifests, self.entry_recipes, self.pieces, self.size = [], [], [], [], 0
        return texts


class SegmentWriter:
    """One segment that is being written, to a file that others do not touch.

    Attributes:
        size: Bytes written.
        piece_bytes: Bytes of distinct pieces so far.
        entry_count: Entries written.
        frontier: The tree over all entries of the writer.
    """

    def __init__(self, file: BinaryIO, head: Mapping[str, Any], frontier: Frontier, previous: bytes) -> None:
        self._file = file
        self._digest = previous
        self._spaces: dict[bytes, KeySpace] = {}
        self._ciphers: dict[bytes, Cipher] = {}
        self.frontier = frontier
        self.size = self.piece_bytes = self.entry_count = 0
        self._random = b""
        self._heads_stream = codec.Compressor(codec.BEST)
        self._streams: OrderedDict[bytes, codec.Compressor] = OrderedDict()
        self._unwritten: tuple[bytes, list[bytes]] | None = None  # a frame that the disk refused, and its lines
        self._write(MAGIC)
        self._write_frame(pack_frame(HEAD, dump_line(head), previous))

    @property
    def digest(self) -> bytes:
        """Return the hash of the last frame."""
        return self._digest

    def add(
        self, head: Mapping[str, Any], parts: Sequence[PartData], lane: Hashable = None, cipher: Cipher | None = None
    ) -> None:
        """Add an entry to the frame that is being filled.

        Args:
            head: Its clear head.
            parts: Its content; empty if there is none.
            lane: The conversation that it belongs to.
            cipher: The encryption of its content; None for none.
        """
        key = NO_KEY if cipher is None else cipher.id
        if cipher is not None:
            self._ciphers[key] = cipher
        space = self._spaces.get(key)
        if space is None:
            space = self._spaces[key] = KeySpace()
        manifest, size = b"null", space.size
        recipes: list[list[Any]] = []
        if parts:
            listed: list[Mapping[str, Any]] = []
            hidden: list[str] = []
            for part in parts:
                if "byte_size" in part.facts:  # its hash alone is kept
                    listed.append({"name": part.name, **part.facts})
                    recipes.append([[]])
                    space.recipe_count += 1
                    continue
                whole = b"".join(part.pieces)
                digest = hash_bytes(whole).hex()
                listed.append({"name": part.name, **part.facts, "byte_size": len(whole), "sha256": digest})
                hidden.append(digest)
                recipes.append(space.add_recipe(part.name, part.pieces, lane))
            self.piece_bytes += space.size - size
            manifest = dump_line({"salt": self._make_salt(), "parts": listed})
            head = {**head, "commitment": hashlib.sha256(manifest).hexdigest()}
            for digest in hidden:  # it follows from the pieces, and cannot be compressed
                manifest = manifest.replace(b'"sha256":"%s"' % digest.encode(), b'"sha256":null')
        space.add_entry(dump_line(head), manifest, recipes)
        if space.size >= FULL_FRAME:
            self._flush_space(key, space)

    def _make_salt(self) -> str:
        """Return 16 random bytes; the system is asked for many at once."""
        if not self._random:
            self._random = os.urandom(1024)
        salt, self._random = self._random[:16], self._random[16:]
        return salt.hex()

    def flush(self) -> None:
        """Write what waits for a frame."""
        self._write_unwritten()
        for key, space in self._spaces.items():
            if space.lines:
                self._flush_space(key, space)

    def _flush_space(self, key: bytes, space: KeySpace) -> None:
        self._write_unwritten()
        block, begins_stream = b"", False
        lines, first_piece = space.lines, space.first_piece
        if (texts := space.take_texts()) is not None:
            begins_stream = key not in self._streams
            if begins_stream:
                self._streams[key] = codec.Compressor(codec.BEST)
            block = self._streams[key].compress(*texts)
            self._streams.move_to_end(key)
            if len(self._streams) > _MOST_STREAMS:
                self._streams.popitem(last=False)
        heads = self._heads_stream.compress(b"\n".join(lines))
        if block and key != NO_KEY:
            block = self._ciphers[key].encrypt(block, heads)
        frame = pack_frame(DATA, heads, self._digest, block, codec.BEST, key, first_piece, begins_stream)
        # From here on the streams go on behind this frame: it is written before any other, however often that fails.
        self._unwritten = frame, lines
        self._write_unwritten()

    def _write_unwritten(self) -> None:
        if self._unwritten is None:
            return
        frame, lines = self._unwritten
        self._write_frame(frame)
        self._unwritten = None
        for line in lines:
            self.frontier.append(hash_leaf(line))
        self.entry_count += len(lines)

    def seal(self, foot: Mapping[str, Any]) -> None:
        """Write what waits, and the last frame."""
        self.flush()
        self._write_frame(pack_frame(FOOT, dump_line(foot), self._digest))

    def _write_frame(self, frame: bytes) -> None:
        self._write(frame)
        self._digest = hashlib.sha256(frame).digest()

    def _write(self, data: bytes) -> None:
        """Write all of it or, as far as a full disk lets us, nothing."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Have what is written on the disk."""
        getattr(os, "fdatasync", os.fsync)(self._file.fileno())


_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump_line(value: object) -> bytes:
    """Return a value as one line of JSON."""
    return _encode_json(value).encode(errors="surrogatepass")


class SegmentError(ValueError):
    """A segment, or an entry of it, that cannot be read."""


class NoKeyError(SegmentError):
    """Content whose key is not at hand."""


class KeyGoneError(NoKeyError):
    """Content whose key was destroyed: nobody can read it any more."""


class Decipher(Protocol):
    """A source of the keys of encrypted content."""

    def decrypt(self, key: bytes, block: bytes, associated: bytes) -> bytes:
        """Return a block as it was.

        Raises:
            SegmentError: The key is gone, or not at hand.
        """


class Content(NamedTuple):
    """The content of one entry: its manifest, the bytes that it is committed by, and how each part is rebuilt.

    On disk the manifest is without the hashes of the parts that are there.
    """

    manifest: Mapping[str, Any]
    line: bytes
    recipes: Sequence[Sequence[int]]


class Segment:
    """A segment that is read: its frames, and the content of its entries on demand.

    Attributes:
        path: The file.
        is_sealed: True if its last frame is a footer.
        is_torn: True if bytes are behind the last good frame.
        strips: What was deleted since it was sealed, oldest first.
    """

    def __init__(self, path: Path, decipher: Decipher | None = None) -> None:
        self.path = path
        self._decipher = decipher
        with path.open("rb") as file:
            self.frames = list(iterate_frames(file))
            file.seek(0, os.SEEK_END)
            self.file_size = file.tell()
        if not self.frames or self.frames[0].kind != HEAD:
            raise SegmentError(f"{path}: the file is no segment of the recorder, or its beginning is damaged")
        self.is_sealed = self.frames[-1].kind == FOOT
        self.is_torn = self.frames[-1].end != self.file_size
        self.head: dict[str, Any] = json.loads(self.frames[0].heads)
        self.foot: dict[str, Any] | None = json.loads(self.frames[-1].heads) if self.is_sealed else None
        self.strips: Sequence[Mapping[str, Any]] = (self.foot or {}).get(STRIPPED, ())
        self._pieces: dict[bytes, list[bytes]] = {}
        self._streams: dict[bytes, codec.Decompressor] = {}
        self._recipes: dict[bytes, list[list[int]]] = {}
        self._contents: dict[int, list[Content | None]] = {}

    @property
    def sealed_digest(self) -> bytes:
        """Return the hash of the last frame as the writer left it, on which the next segment follows."""
        digest: str | None = (self.foot or {}).get(SEALED_DIGEST)
        return self.frames[-1].digest if digest is None else bytes.fromhex(digest)

    def read_content(self, frame_number: int, position: int) -> Content | None:
        """Return the content of an entry; None if it has none, or if it was stripped.

        Raises:
            SegmentError: Its key is gone or not at hand, or the block is damaged.
        """
        contents = self.load_contents(frame_number)
        content = contents[position] if position < len(contents) else None
        if content is None:
            return None
        parts = [
            {**part, "sha256": hashlib.sha256(self.rebuild(frame_number, recipe)).hexdigest()}
            if part.get("sha256", "") is None
            else part
            for part, recipe in zip(content.manifest["parts"], content.recipes, strict=True)
        ]
        manifest = {**content.manifest, "parts": parts}
        return Content(manifest, dump_line(manifest), content.recipes)

    def load_contents(self, frame_number: int) -> Sequence[Content | None]:
        """Return the contents of a frame's entries as they are on disk, without hashes; nothing if no entry has any.

        Raises:
            SegmentError: Their key is gone or not at hand, or the block is damaged.
        """
        if frame_number not in self._contents:
            key = self.frames[frame_number].key
            for number in range(1, frame_number + 1):  # a recipe may need any frame of its key before
                frame = self.frames[number]
                if frame.kind == DATA and frame.key == key and number not in self._contents:
                    try:
                        self._contents[number] = self._decode(frame)
                    except (SegmentError, codec.CodecError):
                        raise
                    except (ValueError, LookupError, TypeError) as error:
                        raise SegmentError(f"{self.path}: a block of content is damaged ({error})") from None
        return self._contents[frame_number]

    def _decode(self, frame: Frame) -> list[Content | None]:
        block = frame.content
        if not block:
            return []
        if frame.key != NO_KEY:
            if self._decipher is None:
                raise NoKeyError(f"{self.path}: the content is encrypted, and no key is at hand")
            block = self._decipher.decrypt(frame.key, block, frame.heads)
        pieces, recipes = self._pieces.setdefault(frame.key, []), self._recipes.setdefault(frame.key, [])
        if frame.first_piece != len(pieces):
            raise SegmentError(f"{self.path}: pieces before number {frame.first_piece} are missing")
        if frame.begins_stream:
            self._streams[frame.key] = codec.Decompressor(frame.codec)
        data = self._streams[frame.key].decompress(block)
        table_line, _, rest = data.partition(b"\n")
        table = json.loads(table_line)
        *manifests, data = rest.split(b"\n", len(table["recipes"]))
        start = 0
        for size in table["pieces"]:
            pieces.append(data[start : start + size])
            start += size
        contents: list[Content | None] = []
        for manifest, entry_recipes in zip(manifests, table["recipes"], strict=True):
            own = []
            for numbers, *reference in entry_recipes:
                if reference:
                    base, head, tail = recipes[reference[0]], reference[1], reference[2]
                    numbers = [*base[:head], *numbers, *base[len(base) - tail :]]
                recipes.append(numbers)
                own.append(numbers)
            parsed = json.loads(manifest)
            contents.append(None if parsed is None else Content(parsed, manifest, own))
        return contents

    def rebuild(self, frame_number: int, recipe: Sequence[int]) -> bytes:
        """Return the bytes of a part."""
        return b"".join(self.find_pieces(frame_number, recipe))

    def find_pieces(self, frame_number: int, recipe: Sequence[int]) -> list[bytes]:
        """Return the pieces of a part."""
        pieces = self._pieces[self.frames[frame_number].key]
        return [pieces[number] for number in recipe]
