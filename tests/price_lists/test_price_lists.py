"""The command that writes a price file, from the installed genai-prices and from a data file of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import openai
import pytest
from typer.testing import CliRunner

from otel_agentops.cli import _build_app
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider

genai_prices = pytest.importorskip("genai_prices", reason="genai-prices needs Python 3.11")

TODAY = datetime.now(timezone.utc).date().isoformat()


def build_model(name: str, prices: Any, **match: Any) -> dict[str, Any]:
    return {"id": name, "match": match or {"equals": name}, "prices": prices}


PLAIN = {"input_mtok": 1.25, "output_mtok": 10, "cache_read_mtok": 0.125}
NIGHT = {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}
DATA: list[dict[str, Any]] = [
    {
        "id": "makers",
        "name": "Makers",
        "api_pattern": "https://makers\\.example",
        "models": [
            build_model("plain", PLAIN),
            build_model("dated", {"input_mtok": 2}, **{"or": [{"equals": "dated"}, {"regex": "^dated-\\d{8}$"}]}),
            build_model("family-", {"input_mtok": 9}, starts_with="family-x"),
            build_model(
                "long",
                {
                    "input_mtok": {
                        "base": 3,
                        "tiers": [{"start": 200_000, "price": 6}, {"start": 500_000, "price": 9}],
                    },
                    "output_mtok": {"base": 15, "tiers": [{"start": 200_000, "price": 22.5}]},
                },
            ),
            build_model(
                "cheaper",
                [
                    {"prices": {"input_mtok": 4}},
                    {"constraint": {"start_date": "2025-01-01"}, "prices": {"input_mtok": 3}},
                    {"constraint": {"start_date": "2999-01-01"}, "prices": {"input_mtok": 2}},
                ],
            ),
            build_model(
                "nightly", [{"prices": {"input_mtok": 1}}, {"constraint": NIGHT, "prices": {"input_mtok": 0.5}}]
            ),
            build_model("voice", {"input_mtok": 1, "output_mtok": 2, "output_audio_mtok": 20}),
            build_model("images", {"output_image_mtok": 40}),
            build_model("shared", {"input_mtok": 1}),
        ],
    },
    {
        "id": "resellers",
        "name": "Resellers",
        "api_pattern": "https://resellers\\.example",
        "models": [build_model("shared", {"input_mtok": 1.1}), build_model("plain", PLAIN)],
    },
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.json"
    path.write_text(json.dumps(DATA))
    yield path


def run_command(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(_build_app(), ["prices", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_price_file_holds_what_the_data_can_say(data: Path) -> None:
    code, out, err = run_command(
        "--update-from", "data.json", "--provider", "makers", "--provider", "resellers",
        "--model", "dated-20261101", "--model", "unheard-of",
    )  # fmt: skip
    source = "genai-prices, data.json, https://github.com/pydantic/genai-prices"
    assert code == 0
    assert json.loads(Path("prices.json").read_text()) == {
        "date": TODAY,
        "source": source,
        "models": {
            "cheaper": {"input": 3},
            "dated": {"input": 2},
            "dated-20261101": {"input": 2},
            "long": {"input": 3, "output": 15, "input_limit": 200_000},
            "plain": {"input": 1.25, "output": 10, "cache_read": 0.125},
        },
    }
    assert out.splitlines() == [
        f"prices.json: 5 model names; date {TODAY}, source {source}",
        f"to use it: export OTEL_AGENTOPS_PRICES={Path('prices.json').absolute()}",
    ]
    assert err.splitlines() == [
        "left out: unheard-of: genai-prices does not know it at these providers",
        "left out: images: it has no price for a token of input",
        "left out: voice: its output tokens have several prices",
        "left out: nightly: its price depends on the time of day",
        "left out: shared: its price differs between these providers; write a file for each",
    ]


def test_price_file_is_updated_with_a_list_of_changes(data: Path) -> None:
    run_command("--update-from", "data.json", "--provider", "makers", "--model", "dated-20261101")
    newer = json.loads(data.read_text())
    newer[0]["models"][0]["prices"]["input_mtok"] = 1
    data.write_text(json.dumps(newer))
    code, out, _ = run_command("--update-from", "data.json", "--provider", "makers")
    assert code == 0
    assert out.splitlines()[:-2] == [
        "dated-20261101: input 2 → no price",
        "plain: input 1.25, output 10, cache_read 0.125 → input 1, output 10, cache_read 0.125",
    ]


@pytest.mark.parametrize("text", ['{"source": "our contract", "models": {}}', "{", "[]"])
def test_price_file_of_somebody_else_is_kept(data: Path, text: str) -> None:
    Path("prices.json").write_text(text)
    arguments = ("--update-from", "data.json", "--provider", "makers")
    assert run_command(*arguments) == (
        2,
        "",
        "otel-agentops prices: prices.json: source: this command did not write it; choose another --out, or overwrite "
        "with --force\n",
    )
    assert Path("prices.json").read_text() == text
    assert run_command(*arguments, "--force")[0] == 0
    assert "plain" in json.loads(Path("prices.json").read_text())["models"]


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        ("[]", ("--provider", "makers"), "--provider: makers is not known; take one of "),
        ("{}", ("--provider", "makers"), "data.json: is no data file of genai-prices; take its "
                                         "prices/new_data/v2/data.json"),
        ("{", ("--provider", "makers"), "data.json: is no data file of genai-prices; take its "
                                        "prices/new_data/v2/data.json"),
        (None, ("--provider", "makers"), "data.json: cannot be read: No such file or directory"),
        (json.dumps(DATA), ("--provider", "makers", "--out", "data.json/x"),
         "data.json/x: cannot be written: File exists"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(data: Path, text: str | None, arguments: tuple[str, ...], sentence: str) -> None:
    data.unlink() if text is None else data.write_text(text)
    assert run_command("--update-from", "data.json", *arguments) == (2, "", f"otel-agentops prices: {sentence}\n")


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "otel_agentops.price_lists.build", raising=False)
    monkeypatch.delattr("otel_agentops.price_lists.build", raising=False)
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    done = CliRunner().invoke(_build_app(), ["prices", "--provider", "openai"])
    assert str(done.exception) == (
        "otel-agentops prices needs genai_prices: pip install 'otel-agentops[prices]', with Python 3.11 or newer"
    )


def test_cost_of_a_real_call_is_that_of_genai_prices(
    tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prices.json"
    code, out, _ = run_command("--provider", "openai", "--provider", "anthropic", "--out", str(path))
    assert (code, f"source genai-prices {genai_prices.__version__}, " in out) == (0, True)
    monkeypatch.setenv("OTEL_AGENTOPS_PRICES", str(path))
    provider.answer(lambda call: Answer(input_tokens=1000, cached_tokens=400, output_tokens=50))
    with capture(Instrumentor()) as seen:
        client = openai.OpenAI(base_url=provider.openai_url, api_key="k")
        for model in ("gpt-4o", "gpt-4o-2024-08-06", "nobody-knows"):
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    usage = genai_prices.Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=50)
    expected = float(genai_prices.calc_price(usage, "gpt-4o", provider_id="openai").total_price)
    assert [span["attributes"].get("otel_agentops.cost") for span in seen.spans] == [
        pytest.approx(expected), pytest.approx(expected), None,
    ]  # fmt: skip
