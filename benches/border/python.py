"""What calls cost through the Python package, on the file that the Rust bench has filled.

`blocking`, `asyncio` or `uvloop`, and the file. Prints one line of JSON: nanoseconds a call, the median of five
rounds.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from crm_core import AsyncCrm, Crm, _native

ROUNDS = 5


def median(calls: int, rounds: list[int]) -> int:
    return int(statistics.median(rounds) / calls)


def timed(calls: int, work: Callable[[int], object]) -> int:
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for call in range(calls):
            work(call)
        rounds.append(time.perf_counter_ns() - began)
    return median(calls, rounds)


async def awaited(calls: int, work: Callable[[int], Awaitable[object]]) -> int:
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for call in range(calls):
            await work(call)
        rounds.append(time.perf_counter_ns() - began)
    return median(calls, rounds)


def blocking(file: str) -> dict[str, int]:
    with Crm.open(f"sqlite://{file}") as crm:
        session = crm.operator(crm.tenants.get("bench").id)
        page = session.contacts.list(limit=200)
        ids = [contact.id for contact in page.items]
        texts = [str(id) for id in ids]
        names = [contact.display_name for contact in page.items]
        contacts = session.contacts
        figures = {
            "blocking get": timed(20_000, lambda call: contacts.get(texts[call % 200])),
            "blocking get, id is a UUID": timed(20_000, lambda call: contacts.get(ids[call % 200])),
            "blocking get, a name read": timed(
                20_000, lambda call: contacts.get(texts[call % 200]).display_name
            ),
            "blocking search": timed(500, lambda call: contacts.search(names[call % 200], limit=10)),
            "page of 50": timed(200, lambda _: contacts.list(limit=50)),
            "page of 50, all names read": timed(
                200, lambda _: [it.display_name for it in contacts.list(limit=50).items]
            ),
            "create": timed(200, lambda _: contacts.create(first_name="Grace", last_name="Hopper")),
        }
    data = os.environ.get("CRM_TEST_DATA")
    if data:
        figures["import"] = imported(Path(data) / "contacts" / "adventureworks_people.csv")
    return figures


def imported(file: Path) -> int:
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, Crm.open(f"sqlite://{folder}/crm.db") as crm:
            tenant = crm.tenants.create("Import", "US", "bench@bench.example").tenant
            contacts = crm.operator(tenant.id).contacts
            began = time.perf_counter_ns()
            contacts.import_from(file)
            rounds.append(time.perf_counter_ns() - began)
    return median(1, rounds)


async def asynchronous(file: str) -> dict[str, int]:
    async with await AsyncCrm.open(f"sqlite://{file}") as crm:
        session = await crm.operator((await crm.tenants.get("bench")).id)
        page = await session.contacts.list(limit=200)
        ids = [str(contact.id) for contact in page.items]
        names = [contact.display_name for contact in page.items]
        contacts = session.contacts

        async def nothing(_call: int) -> None:
            await _native.idle()

        return {
            "awaited no-op": await awaited(5_000, nothing),
            "awaited get": await awaited(5_000, lambda call: contacts.get(ids[call % 200])),
            "awaited search": await awaited(
                300, lambda call: contacts.search(names[call % 200], limit=10)
            ),
            "awaited page of 50": await awaited(200, lambda _: contacts.list(limit=50)),
        }


if __name__ == "__main__":
    way, database = sys.argv[1:]
    if way == "blocking":
        print(json.dumps(blocking(database)))
    elif way == "uvloop":
        import uvloop

        print(json.dumps(uvloop.run(asynchronous(database))))
    else:
        print(json.dumps(asyncio.run(asynchronous(database))))
