"""One recorded decision asked again, many times, with a change and without: does the change do it?

Two arms always: `control` is the recorded request as it was, `swap` the same with the change. A provider that answers
otherwise than it did shows in both. Tools never run: the request holds their recorded results.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from otel_agentops._prices import load_prices, price_call
from otel_agentops._yaml import InputError
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.recorder.commands.conversation import Message, choose_reader, join_parts
from otel_agentops.recorder.commands.intervals import compute_newcombe, compute_wilson
from otel_agentops.recorder.commands.steps import Step
from otel_agentops.semconv import attributes as A

FEWEST = 5  # trials of an arm that a rate is told of
_STREAM_MEMBERS = ("stream", "stream_options")

Body: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[Body], Any]  # a request to the answer's JSON
Expect: TypeAlias = Callable[[Sequence[Message], Any], bool]  # the messages and the answer's JSON


class Arm(NamedTuple):
    """The answers of one arm.

    Attributes:
        hits: Answers that were as expected.
        trials: Answers.
        errors: Requests without an answer, by what failed; they are no trials.
        texts: What was answered, with how often, most first.
    """

    name: str
    hits: int
    trials: int
    errors: Mapping[str, int]
    texts: Mapping[str, int]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the interval of the rate; None of too few answers."""
        return compute_wilson(self.hits, self.trials) if self.trials >= FEWEST else None


class Comparison(NamedTuple):
    """Both arms.

    Attributes:
        difference: Of the rates, swap less control: low, high; None of too few answers.
        verdict: differs, no difference shown, or too few answers.
    """

    control: Arm
    swap: Arm
    difference: tuple[float, float] | None
    verdict: str


def read_request_body(step: Step) -> Body:
    """Return the request of a call, for a whole answer in place of a stream.

    Raises:
        InputError: It was not recorded, or is no JSON object.
    """
    body = step.read_json("request")
    if not isinstance(body, dict):
        reason = step.trouble or "the request is not recorded as JSON"
        raise InputError(f"{step.entry.ref}: {reason}, so it cannot be asked again")
    return {name: value for name, value in body.items() if name not in _STREAM_MEMBERS}


def swap_members(body: Body, swaps: Sequence[str]) -> Body:
    """Return a request with changes: `model=…`, `prompt=@file`, `tools=@file`, `params.temperature=0`.

    Raises:
        InputError: A change has another form, its file cannot be read, or the request has no place for it.
    """
    changed: Body = json.loads(json.dumps(body))
    for swap in swaps:
        name, equals, text = swap.partition("=")
        if not equals:
            raise InputError(f"--swap {swap}: write model=…, prompt=@file, tools=@file or params.<name>=<value>")
        value = _read_file(text[1:]) if text.startswith("@") else text
        if name == "model":
            changed["model"] = value
        elif name == "tools":
            changed["tools"] = _parse_value(value, swap)
        elif name == "prompt":
            _put_prompt(changed, value, swap)
        elif name.startswith("params."):
            changed[name.removeprefix("params.")] = _parse_value(value, swap)
        else:
            raise InputError(f"--swap {swap}: {name} cannot be swapped; use model, prompt, tools or params.<name>")
    return changed


def _read_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: this is no text; write it as UTF-8") from None


def _parse_value(text: str, swap: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if swap.startswith("tools"):
            raise InputError(f"--swap {swap[:60]}: tools are a JSON list, as the request has them") from None
        return text


def _put_prompt(body: Body, text: str, swap: str) -> None:
    """Put other instructions in the place of the recorded ones."""
    if "system" in body:
        body["system"] = text
    elif "instructions" in body:
        body["instructions"] = text
    elif systems := [turn for turn in body.get("messages", ()) if turn.get("role") in ("system", "developer")]:
        systems[0]["content"] = text
    else:
        raise InputError(f"--swap {swap[:60]}: the request has no instructions that could be swapped")


def parse_expectation(text: str) -> Expect:
    """Return the test of an answer: regex:…, tool:…, json:/pointer=value, schema:@file, python:module:function.

    `regex` and `json` look at the words of the answer, `schema` at the words as JSON; a function gets the messages and
    the answer as the provider sent it.

    Raises:
        InputError: The text has another form.
    """
    kind, _, rest = text.partition(":")
    if kind == "regex" and rest:
        try:
            pattern = re.compile(rest)
        except re.error as error:
            raise InputError(f"--expect {text}: this is no regular expression: {error}") from None
        return lambda messages, answer: pattern.search(read_words(messages)) is not None
    if kind == "tool" and rest:
        return lambda messages, answer: rest in list_called_tools(messages)
    if kind == "json" and "=" in rest:
        pointer, _, value = rest.partition("=")
        wanted = _parse_value(value, text)
        return lambda messages, answer: find_pointer(parse_words(messages), pointer) == wanted
    if kind == "schema" and rest.startswith("@"):
        try:
            from jsonschema import validators  # type: ignore[import-untyped]
        except ModuleNotFoundError:
            raise InputError("--expect schema needs jsonschema: pip install jsonschema") from None
        schema = _parse_value(_read_file(rest[1:]), text)
        validator = validators.validator_for(schema)(schema)
        return lambda messages, answer: bool(validator.is_valid(parse_words(messages)))
    if kind == "python" and ":" in rest:
        function = load_function(rest)
        return lambda messages, answer: bool(function(messages, answer))
    raise InputError(
        f"--expect {text}: write regex:PATTERN, tool:NAME, json:/pointer=value, schema:@file or python:module:function"
    )


def load_function(name: str) -> Callable[..., Any]:
    """Load `module:function`, from the current directory as well.

    Raises:
        InputError: There is no such function.
    """
    import sys

    if "" not in sys.path:
        sys.path.insert(0, "")
    module, _, function = name.partition(":")
    try:
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{name}: there is no such function ({error}); write module:function") from None
    return loaded


def read_words(messages: Sequence[Message]) -> str:
    """Return what a model said, without the tools that it calls."""
    return "\n".join(
        join_parts([part for part in message.get("parts", ()) if part.get("type") == "text"]) for message in messages
    )


def parse_words(messages: Sequence[Message]) -> Any:
    """Return what a model said as JSON; None if it is something else."""
    try:
        return json.loads(read_words(messages))
    except ValueError:
        return None


def list_called_tools(messages: Sequence[Message]) -> list[str]:
    """Return the names of the tools that a model wants to have called."""
    parts = (part for message in messages for part in message.get("parts", ()))
    return [str(part.get("name")) for part in parts if part.get("type") == "tool_call"]


def find_pointer(value: Any, pointer: str) -> Any:
    """Return the value at a JSON pointer; None if there is none."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return None
    return value


def make_sender(step: Step, base_url: str | None, function: str | None) -> Send:
    """Return what sends a request: the user's function, or HTTP for the protocols of OpenAI and Anthropic.

    Args:
        step: The recorded call.
        base_url: The provider's; None for that of the environment, or the provider's own.
        function: `module:function`, which gets the request and returns the answer; None for HTTP.

    Raises:
        InputError: The protocol is another one, or there is no key.
    """
    if function is not None:
        call = load_function(function)
        return lambda body: _reduce(call(body))
    import httpx

    body, provider = step.read_json("request") or {}, step.entry.attributes.get(A.GEN_AI_PROVIDER_NAME)
    headers = {}
    if provider == "anthropic":
        url = f"{base_url or os.environ.get('ANTHROPIC_BASE_URL') or 'https://api.anthropic.com'}/v1/messages"
        headers = {"x-api-key": _find_key("ANTHROPIC_API_KEY", base_url), "anthropic-version": "2023-06-01"}
    elif provider == "openai" or (base_url is not None and "messages" in body):
        where = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        url = f"{where}/{'responses' if 'input' in body else 'chat/completions'}"
        headers = {"authorization": f"Bearer {_find_key('OPENAI_API_KEY', base_url)}"}
    else:
        raise InputError(
            f"{provider or 'this provider'}: name a function of yours that sends the request: --call module:function"
        )
    client = httpx.Client(timeout=600)

    def send(request: Body) -> Any:
        response = client.post(url, json=request, headers=headers)
        response.raise_for_status()
        return response.json()

    return send


def _find_key(name: str, base_url: str | None) -> str:
    key = os.environ.get(name)
    if not key and base_url is None:
        raise InputError(f"{name} is not set; set it, or name a server of yours with --base-url")
    return key or "none"


def _reduce(answer: Any) -> Any:
    """Return what a client of the user answered as JSON."""
    dump = getattr(answer, "model_dump", None)
    return dump(mode="json", by_alias=True, exclude_unset=True) if dump is not None else answer


def compare_arms(
    step: Step, swapped: Body, count: int, expect: Expect, send: Send, tell: Callable[[str], object] = lambda text: None
) -> Comparison:
    """Ask both arms, in turns, and compare how often each did what is expected.

    Args:
        step: The recorded call.
        swapped: Its request with the change.
        count: Requests of each arm.
        expect: Tells if an answer is as expected.
        send: Sends a request.
        tell: Is told of each answer.
    """
    import httpx

    control = read_request_body(step)
    reader = choose_reader(control, step.entry.attributes.get(A.GEN_AI_PROVIDER_NAME))
    results: dict[str, list[tuple[bool, str]]] = {"control": [], "swap": []}
    errors: dict[str, dict[str, int]] = {"control": {}, "swap": {}}
    for number in range(count):
        for name, body in (("control", control), ("swap", swapped)):
            try:
                answer = send(body)
            except httpx.HTTPError as error:
                status = getattr(getattr(error, "response", None), "status_code", None)
                text = type(error).__name__ if status is None else str(status)
                errors[name][text] = errors[name].get(text, 0) + 1
                continue
            content = {} if reader is None else reader.response(answer)
            messages: Sequence[Message] = content.get(A.GEN_AI_OUTPUT_MESSAGES, ())
            words = "\n".join(join_parts(message.get("parts", ())) for message in messages) or json.dumps(answer)
            results[name].append((expect(messages, answer), words))
            tell(f"{name} {number + 1}/{count}: {'as expected' if results[name][-1][0] else 'otherwise'}")
    arms = [_count_arm(name, results[name], errors[name]) for name in results]
    return judge_arms(*arms)


def _count_arm(name: str, results: Sequence[tuple[bool, str]], errors: Mapping[str, int]) -> Arm:
    texts: dict[str, int] = {}
    for _, words in results:
        texts[words] = texts.get(words, 0) + 1
    most_first = dict(sorted(texts.items(), key=lambda item: -item[1]))
    return Arm(name, sum(hit for hit, _ in results), len(results), errors, most_first)


def judge_arms(control: Arm, swap: Arm) -> Comparison:
    """Return if the arms differ: they do if the interval of the difference leaves 0 out."""
    if min(control.trials, swap.trials) < FEWEST:
        return Comparison(control, swap, None, "too few answers")
    low, high = compute_newcombe(swap.hits, swap.trials, control.hits, control.trials)
    return Comparison(control, swap, (low, high), "differs" if low > 0 or high < 0 else "no difference shown")


def format_arm(arm: Arm) -> str:
    """Return the result of an arm in a line; no rate without its interval."""
    errors = "".join(f", {count} failed ({name})" for name, count in arm.errors.items())
    if arm.interval is None:
        return f"{arm.name}: {arm.hits}/{arm.trials}{errors}"
    low, high = (f"{100 * end:.0f}" for end in arm.interval)
    return f"{arm.name}: {arm.hits}/{arm.trials} = {100 * arm.hits / arm.trials:.0f} % [{low}, {high}]{errors}"


def estimate_cost(step: Step, bodies: Sequence[Body], count: int) -> float | None:
    """Return USD for as many requests of each body with the recorded tokens; None without prices or tokens."""
    prices = load_prices(os.environ.get("OTEL_AGENTOPS_PRICES"))
    attributes = step.entry.attributes
    if prices is None:
        return None
    total = 0.0
    for body in bodies:
        model = str(body.get("model"))
        is_same = model == attributes.get(A.GEN_AI_REQUEST_MODEL)
        answered = attributes.get(A.GEN_AI_RESPONSE_MODEL) if is_same else None
        answer = Answer(
            answered if isinstance(answered, str) else None,
            {},
            attributes.get(A.GEN_AI_USAGE_INPUT_TOKENS),
            attributes.get(A.GEN_AI_USAGE_OUTPUT_TOKENS),
        )
        usd = price_call(prices, ModelCall(str(attributes.get(A.GEN_AI_OPERATION_NAME)), None, model, {}), answer)
        if usd is None:
            return None
        total += usd * count
    return total
