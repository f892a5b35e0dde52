"""The bench measures what it says: whole run with tiny counts, and the arithmetic of its table."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.variants import VARIANTS
from bench.workload import CHUNKS, WORKLOADS

from bench import clients, report
from otel_agentops.testing.subject import load

ROOT = Path(__file__).parents[2]
ROWS = ["small sync", "small async", "typical sync", "typical async", "stream sync", "stream async"]


def test_run_times_every_shape_and_counts_signals(tmp_path):
    out = tmp_path / "out.json"
    command = [
        sys.executable,
        "-m",
        "bench.run",
        "--rounds",
        "1",
        "--calls",
        "1",
        "--memory-calls",
        "0",
        "--client",
        "openai",
    ]
    done = subprocess.run(
        [*command, "--only", "ours", "--markdown", "--json", str(out)], cwd=ROOT, check=True, capture_output=True
    )
    found = json.loads(out.read_text())["clients"]["openai"]
    assert list(found["samples"]) == [*ROWS, report.START_UP]
    assert all(list(row) == ["none", "ours"] for row in found["samples"].values())
    assert {shape: counts["spans"] for shape, counts in found["emitted"]["none"].items()} == {
        "small": 0,
        "typical": 0,
        "stream": 0,
    }
    assert {shape: counts["spans"] for shape, counts in found["emitted"]["ours"].items()} == {
        "small": 1,
        "typical": 1,
        "stream": 1,
    }
    table = done.stdout.decode().splitlines()
    assert table[0] == "| a call, µs of CPU | none | ours | ours as a part of |"
    assert [line.split(" | ")[0] for line in table[2:9]] == [f"| {row}" for row in found["samples"]]


def test_memory_is_measured_in_its_own_process():
    command = [sys.executable, "-m", "bench.worker", "none", "openai", "memory", "20"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert -1000 < json.loads(done.stdout)["memory"] < 100_000


@pytest.mark.parametrize("client", WORKLOADS)
@pytest.mark.parametrize("variant", [name for name in VARIANTS if VARIANTS[name].packages])
def test_variant_has_an_instrumentor_of_its_package(client, variant):
    point = VARIANTS[variant].instrumentor(client)
    assert point is not None
    assert point.name.endswith(client)
    assert point.dist.name == VARIANTS[variant].packages[client]


def test_typical_and_stream_have_their_documented_sizes():
    for workload in WORKLOADS.values():
        small, typical, stream = workload.shapes
        body = typical.arguments(7)
        turns = [body["system"], *body["messages"]] if "system" in body else body["messages"]
        assert len(turns) == 10
        assert 3500 < len(json.dumps(turns)) < 4500
        assert len(body["tools"]) == 5
        events = [line for line in stream.reply.split(b"\n\n") if line and b"[DONE]" not in line]
        assert len(events) == CHUNKS
        assert small.arguments(1) != small.arguments(2), "no two calls are the same call"


@pytest.mark.parametrize("client", WORKLOADS)
def test_client_accepts_every_shape_and_reads_its_reply(client):
    for shape in WORKLOADS[client].shapes:
        WORKLOADS[client].sync_call(shape.name)(1)

        async def once(shape=shape):
            await WORKLOADS[client].async_call(shape.name)(1)

        asyncio.run(once())


def test_added_is_the_median_of_differences_within_rounds():
    drifting = [100.0, 200.0, 300.0, 400.0]
    assert report.measure_added([103.0, 204.0, 305.0, 420.0], drifting) == report.Added(4.5, 2.5)


def test_cell_has_added_time_ratio_and_verdict():
    row = {"none": [100.0, 110.0], "official": [300.0, 310.0], "ours": [160.0, 170.0]}
    assert report.rows({"small sync": row}, list(row)) == [
        ["small sync", "105", "+200 ±0", "+60 ±0 0.30x", "official 0.30 meets 0.4"]
    ]
    assert report.rows({"stream sync": row}, list(row))[0][-1] == "official 0.30 misses 0.25"
    assert report.rows({report.START_UP: row}, list(row))[0][-1] == "60ms meets 60"


def test_unknown_variant_is_named():
    command = [sys.executable, "-m", "bench.run", "--only", "ours,theirs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    expected = "--only names theirs; known are none, floor, ours, official, openllmetry, openinference"
    assert expected in done.stderr


def described() -> list[str]:
    return [name for name in clients.NAMES if name not in WORKLOADS]


@pytest.mark.parametrize("client", described())
def test_client_is_timed_by_its_description(client):
    if not clients.is_installed(client):
        pytest.skip(f"{client} is not in this environment: make ends has one for it")
    subject = load(clients.CLIENTS / client)
    with subject.serve() as provider:
        provider.answer(clients.answer)
        timed = clients.Described(subject, provider)
        assert {shape for shape, _ in timed.kinds.values()} >= {"small", "typical"}
        for shape, kind in timed.kinds.values():
            if kind == "sync":
                timed.sync_call(shape)(1)
            else:
                asyncio.run(once(timed, shape))
        assert len(provider.requests) == len(timed.kinds)


async def once(timed, shape):
    await timed.async_call(shape)(1)


@pytest.mark.parametrize("client", described())
def test_columns_of_client_are_its_instrumentations(client):
    if clients.is_installed(client):
        found = clients.variants(client)
        assert found[:2] == ["none", "ours"]
        assert [clients.instrumentor(name, client) is None for name in found] == [True, *[False] * (len(found) - 1)]


def test_every_client_can_be_chosen_and_has_a_workload():
    assert set(WORKLOADS) <= set(clients.NAMES)
    assert len(clients.NAMES) == len(set(clients.NAMES))


def test_ours_is_compared_with_each_other_package():
    row = {"none": [100.0], "ours": [160.0], "openllmetry": [400.0], "openinference": [300.0]}
    (line,) = report.rows({"small sync": row}, list(row))
    assert line[-1] == "OpenLLMetry 0.20 meets 0.25, OpenInference 0.30 misses 0.25"


def test_column_that_a_client_lacks_is_empty():
    emitted = {"none": {"small": {}}, "ours": {"small": {"spans": 1, "attributes": 20, "measurements": 3, "events": 0}}}
    assert report.emitted_rows(emitted, ["none", "floor", "ours"]) == [
        ["small sends", "-", "-", "1 span/20, 3 metrics", ""]
    ]
    assert report.rows({"small sync": {"none": [1.0], "ours": [2.0]}}, ["none", "floor", "ours"])[0][2] == "-"
