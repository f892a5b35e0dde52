"""Writing the binary frames of AWS event streams, which botocore can only read.

A frame is total length, length of the headers and their CRC, headers, payload, and the CRC of all before it:
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib

_TEXT = 7  # the type of a header's value
_OVERHEAD = 16  # bytes of a frame beside headers and payload


def frame_event(name: str, payload: bytes) -> bytes:
    """Return a frame with an event, whose payload is JSON."""
    return _write_frame("event", name, payload)


def frame_exception(name: str, payload: bytes) -> bytes:
    """Return a frame with the exception that ends a stream, whose payload is JSON."""
    return _write_frame("exception", name, payload)


def _write_frame(kind: str, name: str, payload: bytes) -> bytes:
    head = b""
    for key, value in {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}.items():
        head += struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", _TEXT, len(value)) + value.encode()
    lengths = struct.pack("!II", _OVERHEAD + len(head) + len(payload), len(head))
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))
