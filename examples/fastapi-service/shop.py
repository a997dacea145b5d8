"""A shop with the CRM inside: its own table and the CRM on one PostgreSQL.

The CRM's whole HTTP API is mounted at `/crm`. Who has signed in there is known to the shop's own routes, too: they
verify the same access token with the CRM's public keys. New contacts are greeted as the event log tells of them.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import jwt
from crm_core import AsyncCrm, CrmError
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import MetaData, Uuid, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(schema="shop")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    item: Mapped[str]


class Greeting(Base):
    __tablename__ = "greetings"
    contact_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)


class NewOrder(BaseModel):
    first_name: str
    last_name: str
    email: str
    item: str


class Shop:
    """What the routes share."""

    def __init__(self, crm: AsyncCrm, engine: AsyncEngine, keys: dict[str, Any]) -> None:
        self.crm = crm
        self.rows = async_sessionmaker(engine, expire_on_commit=False)
        self.keys = jwt.PyJWKSet.from_dict(keys)

    def claims(self, token: str) -> dict[str, Any]:
        """What an access token of the CRM says; `jwt.InvalidTokenError` for any other."""
        key = self.keys[jwt.get_unverified_header(token)["kid"]]
        options: Any = {"verify_aud": False}
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["EdDSA"], options=options)
        return claims

    async def greet(self, tenant: uuid.UUID) -> None:
        """Greets each new contact once, from where the group of readers stopped the last time."""
        session = await self.crm.operator(tenant)
        async for batch in await session.events.group("shop.greetings", after="start"):
            async with self.rows() as rows, rows.begin():
                for event in batch.events:
                    if event.name == "contact.created.v1":
                        # An event can come twice; a contact is greeted once.
                        new = insert(Greeting).values(contact_id=event.subject.id)
                        await rows.execute(new.on_conflict_do_nothing())
            await batch.done()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    engine = create_async_engine(url.replace("postgres://", "postgresql+asyncpg://", 1))
    async with await AsyncCrm.open(url, keys=os.environ["CRM_KEYS"], registration="open") as crm:
        app.state.shop = shop = Shop(crm, engine, await crm.identity.key_set())
        app.mount("/crm", crm.asgi(worker=True))
        greeting = [
            asyncio.create_task(shop.greet(tenant.id)) for tenant in await crm.tenants.list()
        ]
        yield
        for task in greeting:
            task.cancel()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
bearer = HTTPBearer()


def the_shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


def signed_in(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> dict[str, Any]:
    """The claims of who calls."""
    try:
        return the_shop(request).claims(credentials.credentials)
    except (jwt.InvalidTokenError, KeyError):
        raise HTTPException(401, "sign in at /crm/auth/login") from None


Caller = Annotated[dict[str, Any], Depends(signed_in)]


@app.exception_handler(CrmError)
async def refused(_request: Request, error: CrmError) -> JSONResponse:
    fields = [{"field": it.field, "code": it.code, "message": it.message} for it in error.fields]
    status = {"already_exists": 409, "forbidden": 403, "invalid": 422, "not_found": 404}
    body = {"code": error.code, "message": error.message, "errors": fields}
    return JSONResponse(body, status.get(error.code, 503 if error.retryable else 500))


@app.post("/orders", status_code=201)
async def place(order: NewOrder, caller: Caller, request: Request) -> dict[str, Any]:
    """Makes the customer, or finds them by their address, and the order."""
    shop = the_shop(request)
    session = await shop.crm.session(caller["tenant_id"], caller["sub"])
    customer = await session.contacts.create_or_update(
        first_name=order.first_name,
        last_name=order.last_name,
        emails=[{"address": order.email}],
    )
    async with shop.rows() as rows, rows.begin():
        row = Order(contact_id=customer.contact.id, item=order.item)
        rows.add(row)
    return {"id": row.id, "contact_id": row.contact_id, "new_customer": customer.created}


@app.get("/orders")
async def orders(_caller: Caller, request: Request) -> list[dict[str, Any]]:
    async with the_shop(request).rows() as rows:
        found = await rows.scalars(select(Order).order_by(Order.id))
        return [{"id": it.id, "contact_id": it.contact_id, "item": it.item} for it in found]
