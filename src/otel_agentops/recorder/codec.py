"""Compression of the blocks of a frame: zstd from Python 3.14 on or with `backports.zstd`, else zlib."""

from __future__ import annotations

import zlib
from typing import Any

RAW, ZLIB, ZSTD = range(3)
_ZSTD_LEVEL, _ZLIB_LEVEL = 3, 6
_ZLIB_WINDOW = 32_768
_SHORTEST_HISTORY = 8  # bytes that zstd accepts
HISTORY = 65_536  # bytes of the blocks before that a block is compressed with


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


def compress(data: bytes, codec: int, history: bytes = b"") -> bytes:
    """Return a block compressed; an empty one stays empty.

    Args:
        data: The block.
        codec: RAW, ZLIB or ZSTD.
        history: What came before: a small frame of a quiet service is then a third of the size.
    """
    if not data or codec == RAW:
        return data
    if codec == ZSTD:
        compressed: bytes = _zstd.compress(data, _ZSTD_LEVEL, zstd_dict=_make_prefix(history))
        return compressed
    compressor = zlib.compressobj(_ZLIB_LEVEL, zdict=history[-_ZLIB_WINDOW:])
    return compressor.compress(data) + compressor.flush()


def decompress(block: bytes, codec: int, history: bytes = b"") -> bytes:
    """Return a block as it was.

    Raises:
        ValueError: The codec is not known or not installed, or the block is not one of it.
    """
    if not block or codec == RAW:
        return block
    try:
        if codec == ZLIB:
            return zlib.decompressobj(zdict=history[-_ZLIB_WINDOW:]).decompress(block)
        if codec == ZSTD and _zstd is not None:
            data: bytes = _zstd.decompress(block, zstd_dict=_make_prefix(history))
            return data
    except _ERRORS as error:
        raise ValueError(f"a block cannot be decompressed: {error}") from None
    what = "zstd; install otel-agentops[recorder]" if codec == ZSTD else f"codec {codec}"
    raise ValueError(f"a block is compressed with {what}")


def _make_prefix(history: bytes) -> Any:
    return None if len(history) < _SHORTEST_HISTORY else _zstd.ZstdDict(history, is_raw=True).as_prefix
