"""Compression of the blocks of a segment: zstd from Python 3.14 on or with `backports.zstd`, else zlib.

The blocks of one kind are one stream: each is compressed with those before it as history, and can be read as soon as it
is written. A small frame of a quiet service is then a third of the size.
"""

from __future__ import annotations

import zlib
from typing import Any

RAW, ZLIB, ZSTD = range(3)
_ZLIB_LEVEL = 6
# Level 6 takes 40 µs a call more than level 3, and 9 % off the bytes of a quiet service. 256 KiB of history are as good
# as more of it.
_ZSTD_LEVEL, _ZSTD_WINDOW = 6, 18


def _find_zstd() -> Any:
    """Return the module with the interface of the standard library's; None if there is none."""
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            return None
    return zstd


_zstd = _find_zstd()
BEST = ZLIB if _zstd is None else ZSTD
_ERRORS: tuple[type[Exception], ...] = (zlib.error,) if _zstd is None else (zlib.error, _zstd.ZstdError)


class CodecError(ValueError):
    """A codec that is not installed here."""


class Compressor:
    """A stream that is written with one codec.

    Args:
        codec: ZLIB or ZSTD.
    """

    def __init__(self, codec: int) -> None:
        if codec == ZSTD:
            names = _zstd.CompressionParameter
            self._stream = _zstd.ZstdCompressor(
                options={names.compression_level: _ZSTD_LEVEL, names.window_log: _ZSTD_WINDOW}
            )
            self._end = _zstd.ZstdCompressor.FLUSH_BLOCK
        else:
            self._stream = zlib.compressobj(_ZLIB_LEVEL)
            self._end = None

    def compress(self, *texts: bytes) -> bytes:
        """Return the next block, which is these texts, joined; each gets codes of its own, as they differ in kind."""
        if self._end is not None:
            return b"".join([self._stream.compress(text, self._end) for text in texts])
        return b"".join([*map(self._stream.compress, texts), self._stream.flush(zlib.Z_SYNC_FLUSH)])


class Decompressor:
    """A stream that is read.

    Args:
        codec: Of its blocks.

    Raises:
        CodecError: The codec is not known or not installed.
    """

    def __init__(self, codec: int) -> None:
        if codec == ZLIB:
            self._stream = zlib.decompressobj()
        elif codec == ZSTD and _zstd is not None:
            self._stream = _zstd.ZstdDecompressor()
        else:
            what = "zstd; install otel-agentops[recorder]" if codec == ZSTD else f"codec {codec}"
            raise CodecError(f"a block is compressed with {what}")

    def decompress(self, block: bytes) -> bytes:
        """Return the next block as it was.

        Raises:
            ValueError: It does not go on from the blocks before it.
        """
        try:
            data: bytes = self._stream.decompress(block)
        except _ERRORS as error:
            raise ValueError(f"a block cannot be decompressed: {error}") from None
        return data
