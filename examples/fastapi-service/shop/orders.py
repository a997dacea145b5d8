"""Orders: a row of the shop's own, and the customer, a contact of the CRM."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession as Database

from .login import Caller, Refused
from .service import Shop
from .tables import Order

router = APIRouter()
bearer = HTTPBearer(auto_error=False)


def shop(request: Request) -> Shop:
    opened: Shop = request.app.state.shop
    return opened


OfShop = Annotated[Shop, Depends(shop)]


def caller(
    shop: OfShop, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    if credentials is None:
        raise Refused("no token")
    caller = shop.tokens.caller(credentials.credentials)
    if caller.tenant_id != shop.tenant_id:
        raise Refused("somebody of another tenant")
    return caller


By = Annotated[Caller, Depends(caller)]


class NewOrder(BaseModel):
    """An order as a customer places it."""

    first_name: str
    last_name: str
    email: str
    item: str = Field(min_length=1)


class PlacedOrder(BaseModel):
    """An order that was taken."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    contact_id: UUID
    placed_by: UUID
    item: str


@router.post("/orders", status_code=201)
async def place(new: NewOrder, shop: OfShop, caller: By) -> PlacedOrder:
    """Writes the customer, then the order: an order that fails may leave a customer, and never the reverse."""
    # As the caller: whoever may not write contacts may not take orders.
    session = await shop.crm.session(caller.tenant_id, caller.user_id)
    customer = await session.contacts.create_or_update(
        first_name=new.first_name, last_name=new.last_name, emails=[{"address": new.email}]
    )
    order = Order(contact_id=customer.contact.id, placed_by=caller.user_id, item=new.item)
    async with Database(shop.engine) as database, database.begin():
        database.add(order)
        await database.flush()
        return PlacedOrder.model_validate(order)


@router.get("/orders")
async def orders(shop: OfShop, caller: By) -> list[PlacedOrder]:
    """All orders, the oldest first."""
    async with Database(shop.engine) as database:
        found = await database.scalars(select(Order).order_by(Order.id))
        return [PlacedOrder.model_validate(order) for order in found]
