"""Values that must come through YAML, OTTL and the collector's own expansion as they are."""

from __future__ import annotations

from hypothesis import strategies as st

EVIL = (
    "it's",
    'say "no"',
    "back\\slash \\n \\u0041 \\",
    "${env:HOME}",
    "${HOME} $HOME $$ $1 $",
    "a\nb\r\n\tc\x85d\u2028e",
    " # no comment: [yes, {no}] & *star !tag | > % @ `",
    "ünïcode 模型 😀 \u202e\u200b\ufeff",
    "\x00\x01\x07\x1b\x7f",
    "1234567890123456",
    "12e4567890123456",
    "true",
    "null",
    "~",
    "-",
    "2026-11-24",
    "unknown",
    "<nil>",
    "*",
    ".*",
    "^a$",
    "a/b/c",
)
# What no file may hold: half of a pair, and the two that part the values in the collector.
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1e\x1f"), min_size=1, max_size=40)
