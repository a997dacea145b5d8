"""What the shop's routes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from crm_core import AsyncCrm, AsyncSession, NotFoundError
from sqlalchemy.ext.asyncio import AsyncEngine

from .greetings import greet
from .login import Tokens
from .tables import engine

SLUG = "shop"
"""The shop's tenant."""


@dataclass(frozen=True)
class Shop:
    """The shop at work."""

    crm: AsyncCrm
    engine: AsyncEngine
    tenant_id: UUID
    session: AsyncSession
    """The shop itself at work in its tenant, with every right."""
    tokens: Tokens


@asynccontextmanager
async def opened(url: str, keys: str) -> AsyncIterator[Shop]:
    """The CRM and the shop's own tables, on one database; in each process once.

    Args:
        url: The database, as `crm_app`.
        keys: The file of the CRM's keys, the same for every process.
    """
    tables = engine(url)
    async with await AsyncCrm.open(url, keys=keys) as crm:
        tenant = await crm.tenants.get(SLUG)
        session = await crm.operator(tenant.id)
        tokens = Tokens(await crm.identity.key_set())
        greeting = asyncio.create_task(greet(session, tables))
        try:
            yield Shop(crm, tables, tenant.id, session, tokens)
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
            await tables.dispose()


async def founded(url: str, keys: str, owner_email: str) -> str | None:
    """Makes the shop's tenant where there is none; the owner's invitation, by which they choose a password."""
    async with await AsyncCrm.open(url, keys=keys) as crm:
        try:
            await crm.tenants.get(SLUG)
            return None
        except NotFoundError:
            made = await crm.tenants.create("Shop", "DE", owner_email, slug=SLUG)
        session = await crm.operator(made.tenant.id)
        return (await session.users.invite_again(made.owner.id)).invitation
