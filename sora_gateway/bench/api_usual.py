"""What an API of this kind usually is, for ``bench api``: Starlette, and a session of SQLModel's for each request.

``python -m sora_gateway.bench.api_usual DIRECTORY JOBS`` reads a line of JSON from stdin: the key that it lets in, and the object that
it has instead of jobs. Each request looks its key up in a table, then its jobs; a create is one row in a transaction
of its own, synced. The rest of the object lies in a column, so that as many bytes are answered as by the others.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sora_gateway.bench.api_reference import application, given, served
from sora_gateway.bench.store import run_on_our_loop


class _Table(SQLModel, registry=registry()):
    """Of this database, and none of the gateway's."""


class UsualKey(_Table, table=True):
    hash: str = Field(primary_key=True)
    owner: str


class UsualJob(_Table, table=True):
    number: int | None = Field(default=None, primary_key=True)
    videoId: str = Field(unique=True)
    owner: str = Field(index=True)
    prompt: str
    model: str
    seconds: int
    size: str
    rest: str

    def shown(self) -> dict[str, Any]:
        """As it is answered."""
        return {**json.loads(self.rest), **self.model_dump(exclude={"number", "rest", "owner"})}


class Usual:
    def __init__(self, directory: Path) -> None:
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{directory / 'usual.db'}")
        event.listen(self._engine.sync_engine, "connect", _durable)
        self._rest, self._made = "", 0

    async def fill(self, key: str, task: dict[str, Any], jobs: int) -> None:
        known = {"videoId", "owner", "prompt", "model", "seconds", "size"}
        self._rest = json.dumps({name: value for name, value in task.items() if name not in known})
        async with self._engine.begin() as connection:
            await connection.run_sync(_Table.metadata.create_all)
        async with AsyncSession(self._engine) as session:
            session.add(UsualKey(hash=_hash(key), owner="somebody"))
            session.add_all(self._job(f"job-{number}", "somebody", task) for number in range(jobs))
            await session.commit()

    def _job(self, name: str, owner: str, wish: dict[str, Any]) -> UsualJob:
        return UsualJob(
            videoId=name, owner=owner, prompt=wish["prompt"], model="sora-2", seconds=wish["seconds"], size=wish["size"],
            rest=self._rest,
        )  # fmt: skip

    async def one(self, request: Request) -> Response:
        async with AsyncSession(self._engine) as session:
            owner = await _owner(session, request)
            wanted = select(UsualJob).where(
                UsualJob.videoId == request.path_params["id"], UsualJob.owner == owner
            )
            job = (await session.exec(wanted)).one()
            return JSONResponse(job.shown())

    async def some(self, request: Request) -> Response:
        async with AsyncSession(self._engine) as session:
            owner = await _owner(session, request)
            newest = select(UsualJob).where(UsualJob.owner == owner).order_by(col(UsualJob.number).desc())
            found = await session.exec(newest.limit(int(request.query_params["limit"])))
            return JSONResponse({"tasks": [job.shown() for job in found], "after": None})

    async def create(self, request: Request) -> Response:
        wish = await request.json()
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            owner = await _owner(session, request)
            self._made += 1
            job = self._job(f"new-{self._made}", owner, wish)
            session.add(job)
            await session.commit()
            return JSONResponse(job.shown(), 202)

    async def close(self) -> None:
        await self._engine.dispose()


def _durable(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def _owner(session: AsyncSession, request: Request) -> str:
    key = request.headers["authorization"].removeprefix("Bearer ")
    return (await session.exec(select(UsualKey).where(UsualKey.hash == _hash(key)))).one().owner


async def _serve(directory: Path, jobs: int) -> None:
    usual, wanted = Usual(directory), await given()
    await usual.fill(wanted["key"], wanted["task"], jobs)
    await served(application(usual.one, usual.some, usual.create))
    await usual.close()


if __name__ == "__main__":
    run_on_our_loop(_serve(Path(sys.argv[1]), int(sys.argv[2])))
