"""The CRM in asyncio."""

import asyncio
import time
from pathlib import Path

import pytest

import crm_core
from crm_core import _native


async def opened(tmp_path: Path):
    crm = await crm_core.AsyncCrm.open(f"sqlite://{tmp_path / 'crm.db'}")
    made = await crm.tenants.create("Acme", "DE", "olga@acme.example")
    return crm, await crm.session(made.tenant.id, made.owner.id)


def test_a_thousand_tasks_at_once(tmp_path):
    async def main():
        crm, session = await opened(tmp_path)
        made = await asyncio.gather(*(session.contacts.create(first_name=f"c{n}") for n in range(1000)))
        got = await asyncio.gather(*(session.contacts.get(one.id) for one in made))
        assert got == made
        names = [one.first_name async for one in session.contacts.iterate(limit=200)]
        assert sorted(names) == sorted(f"c{n}" for n in range(1000))
        await crm.close()

    asyncio.run(main())


def test_a_cancelled_caller_stops_waiting_and_the_command_goes_on(tmp_path):
    async def main():
        _, session = await opened(tmp_path)
        events = await session.events.subscribe()
        task = asyncio.ensure_future(session.contacts.create(first_name="Ada"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        event = await asyncio.wait_for(events.next(), 10)
        assert event.name == "contact.created.v1"

    asyncio.run(main())


def test_a_timeout_ends_the_wait(tmp_path):
    async def main():
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_native.sleep_now(30).start(), 0.05)
        assert time.monotonic() - begun < 5

    asyncio.run(main())


def test_errors_come_where_one_awaits(tmp_path):
    async def main():
        _, session = await opened(tmp_path)
        with pytest.raises(crm_core.InvalidError):
            await session.contacts.create(first_name="\ud800")
        with pytest.raises(crm_core.InternalError) as raised:
            await _native.panic_now().start()
        assert "as was asked" in str(raised.value.__cause__)
        assert (await session.contacts.create(first_name="Ada")).first_name == "Ada"

    asyncio.run(main())


def test_one_loop_after_the_other(tmp_path):
    crm, session = asyncio.run(opened(tmp_path))
    for _ in range(3):
        asyncio.run(session.contacts.create(first_name="Ada"))
    assert len(asyncio.run(session.contacts.list()).items) == 3
    asyncio.run(crm.close())


def test_a_loop_that_closes_meanwhile_does_no_harm(tmp_path):
    async def main():
        _, session = await opened(tmp_path)
        for n in range(50):
            asyncio.ensure_future(session.contacts.create(first_name=f"c{n}"))
        await asyncio.sleep(0)
        return session

    session = asyncio.run(main())
    assert asyncio.run(session.contacts.create(first_name="last")).first_name == "last"


def test_a_worker_and_a_group(tmp_path):
    async def main():
        crm, session = await opened(tmp_path)
        async with crm.start_worker():
            group = await session.events.group("letters")
            await session.contacts.create(first_name="Ada")
            batch = await group.next(10)
            assert [event.name for event in batch.events] == ["contact.created.v1"]
            again = await session.events.group("letters")
            assert (await again.next(10)).events == batch.events
            await batch.done()
            assert await again.next(0.05) is None
            with pytest.raises(crm_core.ConflictError):
                await batch.done()

    asyncio.run(main())


def test_import_and_export(tmp_path):
    async def main():
        _, session = await opened(tmp_path)
        seen = []
        path = tmp_path / "in.csv"
        path.write_text("first_name,email\n" + "".join(f"n{n},n{n}@example.com\n" for n in range(700)))
        report = await session.contacts.import_from(path, progress=seen.append)
        assert (report.created, report.failed) == (700, 0)
        assert seen[-1].created == 700 and seen[-1].bytes == path.stat().st_size
        assert await session.contacts.export_to(tmp_path / "out.csv") == (tmp_path / "out.csv").stat().st_size
        out = b"".join([piece async for piece in session.contacts.export(format="jsonl")])
        assert out.count(b"\n") == 700

    asyncio.run(main())
