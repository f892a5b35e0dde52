"""One query of the same table by every driver, and by SQLAlchemy over two of them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from both import done
from postgres_server import PORT

NEAREST = "[1,0]"
STATEMENT = "SELECT id, embedding <=> {0} AS distance FROM {table} ORDER BY distance LIMIT {1}"


class Driver:
    """A connection that is opened at its first use."""

    name = "psycopg"

    def __init__(self, socket: Path, stack: AsyncExitStack) -> None:
        self.socket = str(socket)
        self.stack = stack
        self.connection: Any = None

    async def ask(self, limit: int = 2, table: str = "docs", vector: str = NEAREST) -> list[Any]:
        """Return the ids of the nearest rows."""
        await self.open()
        return [row[0] for row in await self.fetch(vector, limit, table)]

    async def open(self) -> None:
        if self.connection is None:
            self.connection = await self.connect()

    async def leave_transaction(self) -> None:
        """Give the locks back, which would stop whoever makes the table anew."""
        if hasattr(self.connection, "rollback"):
            await done(self.connection.rollback())

    async def connect(self) -> Any:
        raise NotImplementedError

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        raise NotImplementedError


class Psycopg(Driver):
    async def connect(self) -> Any:
        import psycopg

        return self.stack.enter_context(
            psycopg.connect(f"host={self.socket} port={PORT} user=postgres dbname=postgres")
        )

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        return self.connection.execute(STATEMENT.format("%s", "%s", table=table), [vector, limit]).fetchall()


class AsyncPsycopg(Driver):
    async def connect(self) -> Any:
        import psycopg

        target = f"host={self.socket} port={PORT} user=postgres dbname=postgres"
        return await self.stack.enter_async_context(await psycopg.AsyncConnection.connect(target))

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        statement = STATEMENT.format("%(vector)s", "%(limit)s", table=table)
        cursor = await self.connection.execute(statement, {"vector": vector, "limit": limit})
        return await cursor.fetchall()


class Asyncpg(Driver):
    name = "asyncpg"

    async def connect(self) -> Any:
        import asyncpg

        pool = asyncpg.create_pool(host=self.socket, port=PORT, user="postgres", database="postgres", min_size=1)
        return await self.stack.enter_async_context((await self.stack.enter_async_context(pool)).acquire())

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        return await self.connection.fetch(STATEMENT.format("$1", "$2", table=table), vector, limit)


class PreparedAsyncpg(Asyncpg):
    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        statement = await self.connection.prepare(STATEMENT.format("$1", "$2", table=table))
        return await statement.fetch(vector, limit)


class SqlAlchemy(Driver):
    url = "postgresql+psycopg://postgres@/postgres?host={}"

    async def connect(self) -> Any:
        import sqlalchemy

        engine = sqlalchemy.create_engine(self.url.format(self.socket))
        self.stack.callback(engine.dispose)
        return self.stack.enter_context(engine.connect())

    def select(self, vector: str, limit: int, table: str) -> Any:
        import sqlalchemy
        from pgvector.sqlalchemy import Vector

        docs = sqlalchemy.Table(
            table,
            sqlalchemy.MetaData(),
            sqlalchemy.Column("id", sqlalchemy.String),
            sqlalchemy.Column("embedding", Vector),
        )
        distance = docs.c.embedding.cosine_distance(json.loads(vector))
        return sqlalchemy.select(docs.c.id).order_by(distance).limit(limit)

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        return self.connection.execute(self.select(vector, limit, table)).fetchall()


class AsyncSqlAlchemy(SqlAlchemy):
    name = "asyncpg"
    url = "postgresql+asyncpg://postgres@/postgres?host={}"

    async def connect(self) -> Any:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(self.url.format(self.socket))
        self.stack.push_async_callback(engine.dispose)
        return await self.stack.enter_async_context(engine.connect())

    async def fetch(self, vector: str, limit: int, table: str) -> Any:
        return (await self.connection.execute(self.select(vector, limit, table))).fetchall()


DRIVERS = (Psycopg, AsyncPsycopg, Asyncpg, PreparedAsyncpg, SqlAlchemy, AsyncSqlAlchemy)
