"""Calls Ada over the switchboard: python -m office.main"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from crm_core import AsyncCrm, FollowedEvent

from .carrier import Carrier
from .switchboard import Switchboard

ENDS = {"completed", "failed", "canceled", "no_answer", "busy"}


async def call_ada(crm: AsyncCrm, say: Callable[[str], None]) -> None:
    """Calls a new contact of a new tenant, and says how the call goes on, and what the timeline tells in the end."""
    made = await crm.tenants.create("Acme", "US", "olive@acme.example")
    session = await crm.session(made.tenant.id, made.owner.id)
    await session.telephony.create_account(
        "switchboard", "acme", {"auth_tokens": ["password"]}, numbers=["+14255550199"]
    )
    ada = await session.contacts.create(
        first_name="Ada", last_name="Lovelace", phones=[{"number": "+14255550150"}]
    )
    events = await session.events.subscribe()
    async with crm.start_worker():
        call = await session.calls.start(ada.id)
        status = None
        while status not in ENDS:
            event = await events.next()
            if isinstance(event, FollowedEvent) and event.subject.id == call.id:
                known = (await session.calls.get(call.id)).status
                if known != status:
                    status = known
                    say(status)
    for entry in (await session.contacts.timeline(ada.id)).items:
        say(f"on the timeline: {entry.kind} {entry.data.get('status', '')}".rstrip())


async def main() -> None:
    """Calls at the speed of life, over a database that is gone afterwards."""
    with TemporaryDirectory() as folder:
        async with await AsyncCrm.open(
            f"sqlite://{Path(folder) / 'crm.db'}", telephony={"switchboard": Carrier(Switchboard())}
        ) as crm:
            await call_ada(crm, print)


if __name__ == "__main__":
    asyncio.run(main())
