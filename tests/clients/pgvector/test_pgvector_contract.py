"""One statement that orders by a distance is one retrieval: the table, its version, how much was found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from drivers import STATEMENT, Asyncpg, AsyncPsycopg, Driver, Psycopg
from retrieval_spans import describe_retrieval, hold, pass_time, settle

import otel_agentops
from otel_agentops.stores import pgvector as adapter
from otel_agentops.stores.pgvector import Instrumentor, read_statement
from otel_agentops.testing import Capture

DECLARED = '{"version": "7", "embedding_model": "embed-x", "built_at": "2026-05-01T04:00:00Z"}'
FACTS = {
    "version": "7",
    "source": "declared",
    "otel_agentops__index__built_at": "2026-05-01T04:00:00Z",
    "otel_agentops__index__embedding_model": "embed-x",
}
by_one_driver = pytest.mark.parametrize("driver", [Psycopg], indirect=True)


def make_table(admin: Any, name: str = "docs", comment: str | None = None) -> str:
    """Return the id that the server gives to a new table with three documents."""
    admin.execute(f"CREATE TABLE {name} (id text, embedding vector(2))")
    admin.execute(f"INSERT INTO {name} VALUES ('a', '[1,0]'), ('b', '[0,1]'), ('c', '[1,1]')")
    if comment is not None:
        admin.execute(f"COMMENT ON TABLE {name} IS '{comment}'")
    return str(admin.execute("SELECT %s::regclass::oid", [name]).fetchone()[0])


async def ask_twice(driver: Driver) -> None:
    """The first query of a process asks for the version; the second one knows it."""
    for _ in range(2):
        assert await driver.ask() == ["a", "c"]
        await settle()


async def test_declared_version_is_in_the_comment(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin, comment=DECLARED)
    await ask_twice(driver)
    assert seen.spans == [describe_retrieval("docs", 2, 2), describe_retrieval("docs", 2, 2, **FACTS)]
    assert seen.metrics == {}


@by_one_driver
async def test_version_is_declared_in_plain_words_too(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin, comment="Help pages; version=7, embedding_model=embed-x")
    await ask_twice(driver)
    facts = {"version": "7", "source": "declared", "otel_agentops__index__embedding_model": "embed-x"}
    assert seen.spans[-1] == describe_retrieval("docs", 2, 2, **facts)


async def test_table_made_anew_is_seen_within_the_time(
    seen: Capture, driver: Driver, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_table(admin)
    await ask_twice(driver)
    await driver.leave_transaction()
    admin.execute("ALTER TABLE docs RENAME TO docs_old")
    new = make_table(admin)
    pass_time(monkeypatch)
    await ask_twice(driver)
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == [None, old, old, new]
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")]
    assert values == ["docs", old, new]


@by_one_driver
async def test_view_names_the_table_behind_it(
    seen: Capture, driver: Driver, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table(admin, "docs_1")
    make_table(admin, "docs_2", DECLARED)
    admin.execute("CREATE VIEW docs AS SELECT * FROM docs_1")
    await ask_twice(driver)
    assert seen.spans[-1] == describe_retrieval("docs", 2, 2, version="docs_1")
    await driver.leave_transaction()
    admin.execute("CREATE OR REPLACE VIEW docs AS SELECT * FROM docs_2")
    pass_time(monkeypatch)
    await ask_twice(driver)
    assert seen.spans[-1] == describe_retrieval("docs", 2, 2, **FACTS)


async def test_nothing_found_is_a_count_of_zero(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin)
    admin.execute("DELETE FROM docs")
    assert await driver.ask() == []
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_failing_query_is_the_error_of_the_driver(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin)
    with pytest.raises(Exception, match="dimensions"):
        await driver.ask(vector="[1,0,0]")
    kind = "asyncpg.exceptions.DataError" if driver.name == "asyncpg" else "psycopg.errors.DataException"
    assert seen.spans == [describe_retrieval("docs", 2, None, error__type=kind)]


@pytest.mark.parametrize("driver", [Psycopg, AsyncPsycopg], indirect=True)
async def test_query_does_not_wait_for_metadata(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin, comment=DECLARED)
    with hold(adapter, "_describe_relation") as called:
        await driver.ask()
        assert called.wait(10)
        await driver.ask()
        assert seen.spans == [describe_retrieval("docs", 2, 2)] * 2
    await settle()


@pytest.mark.parametrize("driver", [Asyncpg], indirect=True)
async def test_query_does_not_wait_for_a_connection(
    seen: Capture, driver: Driver, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncpg

    make_table(admin, comment=DECLARED)
    connect, called, release = asyncpg.connect, asyncio.Event(), asyncio.Event()

    async def hang(*args: Any, **kwargs: Any) -> Any:
        called.set()
        await release.wait()
        return await connect(*args, **kwargs)

    await driver.open()
    monkeypatch.setattr(asyncpg, "connect", hang)
    await driver.ask()
    await asyncio.wait_for(called.wait(), 10)
    await driver.ask()
    assert seen.spans == [describe_retrieval("docs", 2, 2)] * 2
    release.set()
    await settle()


@by_one_driver
async def test_other_statements_are_no_retrievals(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin)
    await driver.ask()
    for statement in ("SELECT 1", "SELECT 1 WHERE 1 <> 2", "SELECT id FROM docs WHERE id <= 'b' ORDER BY id"):
        driver.connection.execute(statement)
    assert len(seen.spans) == 1


async def test_query_inside_the_verb_is_the_same_retrieval(seen: Capture, driver: Driver, admin: Any) -> None:
    make_table(admin)
    with otel_agentops.retrieval("docs", top_k=2):
        await driver.ask()
    assert seen.spans == [describe_retrieval("docs", 2, 2)]


async def test_uninstrumented_queries_pass(
    seen: Capture, driver: Driver, admin: Any, instrumentor: Instrumentor
) -> None:
    make_table(admin)
    instrumentor.uninstrument()
    assert await driver.ask() == ["a", "c"]
    assert seen.spans == []


def test_driver_classes_get_their_methods_back(instrumentor: Instrumentor) -> None:
    import asyncpg
    import psycopg

    methods: Callable[[], list[object]] = lambda: [  # noqa: E731
        psycopg.Cursor.execute,
        psycopg.AsyncCursor.execute,
        asyncpg.Connection._execute,
        asyncpg.prepared_stmt.PreparedStatement.fetch,
    ]
    before = methods()
    instrumentor.instrument()
    assert not set(before) & set(methods())
    instrumentor.uninstrument()
    assert methods() == before


@pytest.mark.parametrize(
    ("statement", "table", "limit"),
    [
        (STATEMENT.format("$1", "$2", table="docs"), "docs", 1),
        ("select id from app.docs order by embedding <-> '[1,2]' limit 5", "app.docs", 5),
        ('SELECT * FROM "Docs" d ORDER BY d.embedding <#> %s::vector LIMIT %s', '"Docs"', 1),
        ("SELECT 1 - (embedding <=> %(v)s) AS s FROM docs ORDER BY s DESC LIMIT %(n)s", "docs", "n"),
        ("SELECT * FROM (SELECT id FROM docs ORDER BY v <+> $1 LIMIT 9) AS t JOIN x USING (id) LIMIT 3", "docs", 3),
        ("WITH q AS (SELECT id, v <=> $1 AS d FROM docs) SELECT * FROM q ORDER BY d LIMIT 4", "docs", 4),
        ("SELECT u.id FROM users u, LATERAL (SELECT id FROM docs ORDER BY v <=> u.v LIMIT 1) n", "docs", 1),
        ("SELECT id FROM docs ORDER BY bits <%%> %s", "docs", None),
        ("SELECT id FROM docs WHERE id IN (SELECT id FROM other) ORDER BY v <~> $1", "docs", None),
    ],
)
def test_statement_names_table_and_limit(statement: str, table: str, limit: object) -> None:
    read = read_statement(statement)
    assert read is not None
    assert (read.table, read.limit if read.limit is not None else read.limit_parameter) == (table, limit)
    assert read.is_of_vectors


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM docs WHERE a <= 3 AND b <> 4 ORDER BY c",
        "SELECT id FROM docs WHERE v <=> $1 < 0.3",
        "SELECT to_tsquery('fat <-> rat') FROM docs ORDER BY id",
        "SELECT id FROM docs /* <=> */ ORDER BY id -- <=>",
        "SELECT id FROM docs ORDER BY word <<-> 'parcel'",
    ],
)
def test_statement_that_ranks_by_no_vector_is_none(statement: str) -> None:
    assert read_statement(statement) is None


def test_operator_of_others_needs_a_vector() -> None:
    places = read_statement("SELECT id FROM shops ORDER BY place <-> ST_MakePoint(1, 2) LIMIT 5")
    assert places is not None
    assert not places.is_of_vectors
