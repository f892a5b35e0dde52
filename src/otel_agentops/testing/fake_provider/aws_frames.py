"""The binary frames of AWS event streams, written: botocore only reads them.

A frame is total length, length of the headers and their CRC, headers, payload, and the CRC of all before it:
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

_TEXT = 7  # the type of a header's value
_AROUND = 16  # bytes of a frame beside headers and payload


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack("!II", _AROUND + len(head) + len(payload), len(head))
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def event(name: str, payload: bytes) -> bytes:
    """An event of the stream, with JSON."""
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(name: str, payload: bytes) -> bytes:
    """What ends a stream that has begun."""
    return frame({":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, payload)


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _TEXT, len(text)) + text
