"""pgvector: each statement that orders rows by the distance of vectors is one retrieval, by psycopg 3 and asyncpg.

SQLAlchemy's queries pass these drivers. Any other statement costs a look for `<`, which each operator of pgvector has:
https://github.com/pgvector/pgvector#querying
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from otel_agentops import _patching
from otel_agentops._open_retrieval import OPEN_RETRIEVAL
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target, Wrap
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index, parse_declaration
from otel_agentops.stores._queries import Found, Query, Read, ReadResult, get_argument, wrap_query

_NAME = r'(?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))*'
# Texts and comments come first: what looks like SQL inside them is none.
_TOKENS = re.compile(
    rf"""'(?:[^']|'')*' | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$
    | (?P<open>\() | (?P<close>\)) | \b(?P<select>select)\b | \b(?P<order>order\s+by)\b
    | \bfrom\s+(?:only\s+)?(?P<table>{_NAME})(?![\w$.]|\s*\()
    | \blimit\s+(?P<limit>\d+|\$\d+|%s|%\(\w+\)s)
    | (?<![<=>~!@\#%^&|?*/+-])(?P<operator><(?:->|\#>|=>|\+>|~>|%%?>))(?![<=>~!@\#^&|?*/])""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_AMBIGUOUS = frozenset({"<->", "<#>"})  # other extensions have them as well, PostGIS among them
_VECTOR_SIGNS = re.compile(r"::\s*(?:halfvec|sparsevec|vector)\b|<(?:->|#>)\s*'[\[{]", re.IGNORECASE)
_VECTOR_MODULES = frozenset({"numpy", "pgvector"})
_CONNECT_TIMEOUT_S = 10
# The comment of a relation, and of the relations behind it if it is a view.
_QUESTION = """
SELECT c.oid::text, obj_description(c.oid, 'pg_class'), t.oid::regclass::text, obj_description(t.oid, 'pg_class')
FROM pg_class c
LEFT JOIN pg_rewrite r ON r.ev_class = c.oid AND c.relkind = 'v'
LEFT JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid != c.oid
LEFT JOIN pg_class t ON t.oid = d.refobjid
WHERE c.oid = to_regclass({})
GROUP BY c.oid, t.oid ORDER BY 3
"""


class Statement(NamedTuple):
    """A statement that ranks by vectors.

    Attributes:
        table: The table or the view, with its quotes.
        limit: How many rows; None if the statement does not say it, or says it by a parameter.
        limit_parameter: Number or name of that parameter; None if there is none.
        is_of_vectors: False if the operator may be another extension's, so that the parameters have to tell.
    """

    table: str
    limit: int | None
    limit_parameter: int | str | None
    is_of_vectors: bool


@lru_cache(maxsize=256)
def read_statement(text: str) -> Statement | None:
    """Return what a statement ranks; None if it does not rank by vectors."""
    scopes: list[dict[str, str]] = [{}]  # of the parentheses that are open
    whole, ranking, is_ordered = scopes[0], None, False
    operators = set()
    for match in _TOKENS.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            scopes.append({})
        elif kind == "close":
            scopes[1:] = scopes[1:-1]
        elif kind == "order":
            is_ordered = True
        elif kind == "operator":
            operators.add(match["operator"])
            ranking = ranking or next((scope for scope in reversed(scopes) if "select" in scope), None)
        elif kind == "limit":
            number = text.count("%s", 0, match.start("limit"))
            scopes[-1]["limit"] = f"${number + 1}" if match["limit"] == "%s" else match["limit"]
        elif kind is not None:
            scopes[-1].setdefault(kind, match[kind])
    if ranking is None or not is_ordered or "table" not in ranking:
        return None
    limit = whole.get("limit", ranking.get("limit", ""))
    parameter = int(limit[1:]) - 1 if limit.startswith("$") else limit[2:-2] or None
    return Statement(
        ranking["table"],
        int(limit) if limit.isdecimal() else None,
        None if limit.isdecimal() else parameter,
        not operators <= _AMBIGUOUS or _VECTOR_SIGNS.search(text) is not None,
    )


def _is_vector(value: object) -> bool:
    if isinstance(value, str):
        return value.startswith(("[", "{"))
    return isinstance(value, list) or type(value).__module__.partition(".")[0] in _VECTOR_MODULES


def _describe(place: str, fetch: Fetch, client: Any, text: str, parameters: Any) -> Query | None:
    """Return the query of a statement; None if it is no retrieval."""
    statement = read_statement(text)
    if statement is None:
        return None
    named = parameters if isinstance(parameters, Mapping) else {}
    values = list(named.values() or parameters or ())
    if not (statement.is_of_vectors or any(map(_is_vector, values)) or OPEN_RETRIEVAL.get() is not None):
        return None
    limit, key = statement.limit, statement.limit_parameter
    if isinstance(key, int):
        limit = values[key] if key < len(values) else None
    elif key is not None:
        limit = named.get(key)
    return Query(statement.table.replace('"', ""), limit, RESOLVER.find((place, statement.table), fetch, client))


def _describe_relation(rows: Sequence[Sequence[str | None]]) -> IndexFacts:
    """Return the facts of a table; of a view, those of the table behind it."""
    if not rows:
        return describe_index()  # nothing of that name where a new connection looks
    oid, own_comment, _, target_comment = rows[0]
    declared = parse_declaration(own_comment or (target_comment if len(rows) == 1 else None))
    return describe_index(declared, concrete=",".join(row[2] for row in rows if row[2]) or None, build_id=oid)


# -- psycopg


class _Database(NamedTuple):
    """The database that a connection is to, and how another one is opened."""

    place: str
    dsn: str
    password: str


_databases: weakref.WeakKeyDictionary[Any, _Database] = weakref.WeakKeyDictionary()


def fetch_relation(database: _Database, name: str) -> IndexFacts:
    """Ask for a relation by a connection of our own: the application's may be in a transaction."""
    import psycopg

    with psycopg.connect(
        database.dsn, password=database.password, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
    ) as connection:
        return _describe_relation(connection.execute(_QUESTION.format("%s"), [name]).fetchall())


def read_execute(args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `execute` of a cursor of psycopg; None if it is no retrieval."""
    cursor, text = args[0], get_argument(args, kwargs, 1, "query")
    if hasattr(text, "as_string"):
        text = text.as_string(cursor)
    elif isinstance(text, bytes):
        text = text.decode(errors="replace")
    if not isinstance(text, str) or "<" not in text:
        return None
    connection = cursor.connection
    database = _databases.get(connection)
    if database is None:
        info = connection.info
        database = _Database(f"{info.host}:{info.port}/{info.dbname}", info.dsn, info.password)
        _databases[connection] = database
    return _describe(database.place, fetch_relation, database, text, get_argument(args, kwargs, 2, "params"))


def read_cursor(query: Query, cursor: Any) -> Found:
    """Read how many rows a cursor has, which the application fetches later."""
    return Found(document_count=cursor.rowcount if cursor.rowcount >= 0 else None)


# -- asyncpg


async def fetch_relation_async(connection: Any, name: str) -> IndexFacts:
    """Ask for a relation by a connection of our own: the application's may be in a transaction."""
    import asyncpg

    address, parameters = connection._addr, connection._params
    if isinstance(address, str):  # the path of a socket
        host, _, port = address.rpartition("/.s.PGSQL.")
        address = (host, int(port))
    own = await asyncpg.connect(
        host=address[0],
        port=address[1],
        user=parameters.user,
        password=parameters.password,
        database=parameters.database,
        ssl=parameters.ssl,
        server_settings=parameters.server_settings,
        timeout=_CONNECT_TIMEOUT_S,
    )
    try:
        return _describe_relation(await own.fetch(_QUESTION.format("$1"), name))
    finally:
        await own.close()


def read_statement_of_connection(args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `_execute` of a connection, which `fetch`, `fetchrow` and `fetchval` call."""
    return _describe_async(args[0], args[1], args[2])


def read_prepared(args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of a prepared statement."""
    return _describe_async(args[0]._connection, args[0]._query, args[1:])


def _describe_async(connection: Any, text: str, parameters: Sequence[object]) -> Query | None:
    if "<" not in text:
        return None
    place = f"{connection._addr}/{connection._params.database}"
    return _describe(place, fetch_relation_async, connection, text, parameters)


def read_rows(query: Query, result: Any) -> Found:
    """Read how many rows came: several, or one row or value."""
    if isinstance(result, tuple):  # with the status of the command
        result = result[0]
    return Found(document_count=len(result) if isinstance(result, list) else int(result is not None))


def _wrap_statement(read: Read, read_result: ReadResult, *, is_async: bool) -> Wrap:
    """Return the wrapper of a method whose first argument is a statement, of which few are retrievals."""
    observe = wrap_query(read, read_result, is_async=is_async)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        observed = observe(original, library)

        def execute(*args: Any, **kwargs: Any) -> Any:
            if len(args) > 1 and type(args[1]) is str and "<" not in args[1]:
                return original(*args, **kwargs)
            return observed(*args, **kwargs)

        async def execute_async(*args: Any, **kwargs: Any) -> Any:
            if len(args) > 1 and type(args[1]) is str and "<" not in args[1]:
                return await original(*args, **kwargs)
            return await observed(*args, **kwargs)

        return execute_async if is_async else execute

    return wrap


_INFO = ClientInfo(
    operations=("statements that order by a distance of pgvector, by psycopg 3 and asyncpg; those of SQLAlchemy, too",),
    not_covered=(
        "`<->` and `<#>` between columns, which other extensions have as well",
        "server-side cursors, `stream` and COPY",
        "psycopg2",
    ),
    one_line=('a version of your own: `COMMENT ON TABLE docs IS \'{"version": "7"}\'`',),
    unknown=("ids and scores of the rows",),
)
LIBRARY = PatchedLibrary(
    "psycopg",
    ">=3.1.18,<4",
    (
        Target("psycopg.cursor", "Cursor", "execute", _wrap_statement(read_execute, read_cursor, is_async=False)),
        Target(
            "psycopg.cursor_async", "AsyncCursor", "execute", _wrap_statement(read_execute, read_cursor, is_async=True)
        ),
    ),
    _INFO,
)
_PREPARED = wrap_query(read_prepared, read_rows, is_async=True)
ASYNCPG = PatchedLibrary(
    "asyncpg",
    ">=0.29,<1",
    (
        Target(
            "asyncpg.connection",
            "Connection",
            "_execute",
            _wrap_statement(read_statement_of_connection, read_rows, is_async=True),
            ("query", "args"),
        ),
        *(
            Target("asyncpg.prepared_stmt", "PreparedStatement", name, _PREPARED)
            for name in ("fetch", "fetchrow", "fetchval")
        ),
    ),
    _INFO,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_pgvector`."""

    libraries = (LIBRARY, ASYNCPG)


PGVectorInstrumentor = Instrumentor  # the name that others give theirs
