"""Personal data hidden by pattern: `OTEL_AGENTOPS_REDACT=otel_agentops.personal_data:hide_personal_data`.

It asks the pattern recognisers of Presidio (the extra `personal-data`) for mail addresses, telephone numbers, payment
cards, IBANs, IP addresses and US social security numbers. Presidio's models for names and places are not used: they are
no packages of PyPI, and a sentence takes them milliseconds. Nothing is fetched. Patched is nothing; asked are
https://github.com/data-privacy-stack/presidio/tree/main/presidio-analyzer/presidio_analyzer/predefined_recognizers
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Any  # what `json.loads` returns

_SURE = 0.4  # Presidio's score from which on a pattern counts: below, it wants a language model for the words around it
_LONGEST = 65_536  # characters of a text whose result is remembered
_SHORTEST_IP = 7  # characters: `a::b` is an address by its form, and C++ as well
# Without a digit or an @ a text has nothing that is looked for; it saves most of the time.
_HINT = re.compile(r"[0-9@]")
# Recognisers that read a text for long, and what it has at least if they may find something: addresses take 10 ms for
# 8 kB, telephone numbers 90 ms if the text is a list of numbers.
_HINTS = {
    "IP_ADDRESS": re.compile(r"\d\.\d{1,3}\.\d|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:"),
    "PHONE_NUMBER": re.compile(r"\+\d|\(\d{3}\)|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b"),
}
# Ten digits in a row are as often the number of an order.
_PHONE_MARK = re.compile(r"\D")


class Found(Protocol):
    """A result of a recogniser, as far as it is read."""

    entity_type: str
    start: int
    end: int
    score: float


class Recognizer(Protocol):
    """A recogniser of Presidio, as far as it is used."""

    supported_entities: list[str]

    def analyze(self, text: str, entities: list[str], nlp_artifacts: None, /) -> list[Found]:
        """Return what is found in a text."""


def hide_personal_data(name: str, value: Json) -> Json:
    """Return a JSON value with `[email_address]`, `[phone_number]` and so on in the place of personal data.

    Texts and names of members are read; numbers are not. What it does not find stays: names of people, postal
    addresses, birthdays, medical facts, and whatever is written in words.

    Args:
        name: The attribute, or the part of a recording; all are treated alike.
        value: Its value.

    Raises:
        ModuleNotFoundError: The extra `personal-data` is not installed.
    """
    if isinstance(value, str):
        return _hide_remembered(value) if len(value) <= _LONGEST else _hide(value)
    if isinstance(value, list):
        return [hide_personal_data(name, member) for member in value]
    if isinstance(value, dict):
        return {hide_personal_data(name, key): hide_personal_data(name, member) for key, member in value.items()}
    return value


def _hide(text: str) -> str:
    """Return a text with what is found replaced, the longer one of two that overlap."""
    if not _HINT.search(text):
        return text
    pieces, place = [], 0
    for found in sorted(_find(text), key=lambda each: (each.start, -each.end)):
        if found.start >= place:
            pieces += [text[place : found.start], f"[{found.entity_type.lower()}]"]
            place = found.end
    return "".join((*pieces, text[place:]))


_hide_remembered = lru_cache(maxsize=512)(_hide)


def _find(text: str) -> Sequence[Found]:
    return [
        found
        for recognizer in _load_recognizers()
        if (hint := _HINTS.get(recognizer.supported_entities[0])) is None or hint.search(text)
        for found in recognizer.analyze(text, recognizer.supported_entities, None)
        if found.score >= _SURE and _is_plausible(found, text[found.start : found.end])
    ]


def _is_plausible(found: Found, text: str) -> bool:
    if found.entity_type == "PHONE_NUMBER":
        return _PHONE_MARK.search(text) is not None
    return found.entity_type != "IP_ADDRESS" or len(text) >= _SHORTEST_IP


@cache
def _load_recognizers() -> Sequence[Recognizer]:
    """Load Presidio, which takes seconds, with the first content."""
    import tldextract  # type: ignore[import-not-found, unused-ignore]
    from presidio_analyzer import predefined_recognizers as known  # type: ignore[import-not-found, unused-ignore]

    # Presidio's own would fetch the list of top-level domains: content of an application may cause no traffic.
    find_domain = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class EmailRecognizer(known.EmailRecognizer):  # type: ignore[misc, unused-ignore]
        """Presidio's, with the list of top-level domains that is in the package."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(find_domain(pattern_text).fqdn)

    return (
        EmailRecognizer(),
        known.CreditCardRecognizer(),
        known.IbanRecognizer(),
        known.IpRecognizer(),
        known.UsSsnRecognizer(),
        known.PhoneRecognizer(supported_regions=("US",)),  # and, whatever the region, those with a +
    )
