"""Each new contact is greeted once: by a row of the shop's own, as the event log tells of it."""

import asyncio
import logging

from crm_core import AsyncSession, ConflictError, CrmError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from .tables import Greeting

PAUSE = 1.0
"""Seconds before it goes on after a failure."""

log = logging.getLogger(__name__)


async def greet(session: AsyncSession, engine: AsyncEngine) -> None:
    """Greets who is new, until it is cancelled. What failed comes again, for the group has not moved on."""
    while True:
        try:
            await _greet(session, engine)
        except ConflictError:
            log.info("another process of the shop was faster with these greetings")
        except (CrmError, SQLAlchemyError, OSError):
            log.warning("greetings stopped, and go on in %s s", PAUSE, exc_info=True)
            await asyncio.sleep(PAUSE)


async def _greet(session: AsyncSession, engine: AsyncEngine) -> None:
    async for batch in await session.events.group("shop.greetings", after="start"):
        new = [event.subject.id for event in batch.events if event.name == "contact.created.v1"]
        async with engine.begin() as connection:
            for contact_id in new:
                # An event can come twice; a contact is greeted once.
                row = insert(Greeting).values(contact_id=contact_id).on_conflict_do_nothing()
                await connection.execute(row)
        await batch.done()
