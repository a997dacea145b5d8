"""What a user would write instead: a contact with its e-mails in SQLAlchemy's ORM, got by id and inserted.

`sqlite FILE` works on a file of its own through sqlite3, `asyncpg URL` on a database through asyncpg. Prints one
line of JSON: nanoseconds a call, the median of five rounds.
"""

import asyncio
import json
import statistics
import sys
import time
import uuid
from datetime import datetime, timezone

from sqlalchemy import JSON, DateTime, ForeignKey, String, Uuid, create_engine, event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

ROUNDS = 5
CONTACTS = 20_000


class Base(DeclarativeBase):
    pass


class Contact(Base):
    __tablename__ = "peer_contacts"
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    first_name: Mapped[str | None] = mapped_column(String(255))
    last_name: Mapped[str | None] = mapped_column(String(255), index=True)
    title: Mapped[str | None] = mapped_column(String(255))
    custom: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(timezone.utc), index=True
    )
    version: Mapped[int] = mapped_column(default=1)
    emails: Mapped[list["Email"]] = relationship(lazy="selectin", cascade="all, delete-orphan")


class Email(Base):
    __tablename__ = "peer_emails"
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("peer_contacts.id"), index=True)
    address: Mapped[str] = mapped_column(String(254), index=True)


def person(number: int) -> Contact:
    address = f"person{number}.{uuid.uuid4().hex}@bench.example"
    return Contact(
        first_name=f"First{number}", last_name=f"Last{number}", emails=[Email(address=address)]
    )


def median(calls: int, rounds: list[int]) -> int:
    return int(statistics.median(rounds) / calls)


def sqlite(file: str) -> dict[str, int]:
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def durable(connection, _record):
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        people = [person(number) for number in range(CONTACTS)]
        session.add_all(people)
        session.commit()
        ids = [contact.id for contact in people[:1000]]

    def get(calls: int) -> None:
        for call in range(calls):
            with Session(engine) as session:
                session.get(Contact, ids[call % len(ids)])

    def insert(calls: int) -> None:
        for call in range(calls):
            with Session(engine) as session:
                session.add(person(call))
                session.commit()

    return {"blocking get": timed(get, 1000), "create": timed(insert, 100)}


def timed(work, calls: int) -> int:
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        work(calls)
        rounds.append(time.perf_counter_ns() - began)
    return median(calls, rounds)


async def asyncpg(url: str) -> dict[str, int]:
    engine = create_async_engine(url.replace("postgres://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False, class_=AsyncSession)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        people = [person(number) for number in range(CONTACTS)]
        session.add_all(people)
        await session.commit()
        ids = [contact.id for contact in people[:1000]]

    async def get(call: int) -> None:
        async with sessions() as session:
            await session.get(Contact, ids[call % len(ids)])

    async def insert(call: int) -> None:
        async with sessions() as session:
            session.add(person(call))
            await session.commit()

    figures = {}
    for name, work, calls in (("awaited get", get, 500), ("create", insert, 200)):
        rounds = []
        for _ in range(ROUNDS):
            began = time.perf_counter_ns()
            for call in range(calls):
                await work(call)
            rounds.append(time.perf_counter_ns() - began)
        figures[name] = median(calls, rounds)
    await engine.dispose()
    return figures


if __name__ == "__main__":
    kind, place = sys.argv[1:]
    print(json.dumps(sqlite(place) if kind == "sqlite" else asyncio.run(asyncpg(place))))
