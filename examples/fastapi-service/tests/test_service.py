"""The shop, asked as its clients ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from shop.main import application
from shop.service import Shop, founded
from shop.tables import Greeting
from sqlalchemy import func, select

from conftest import Place

PASSWORD = "nine herons over the weir"


@asynccontextmanager
async def served(place: Place) -> AsyncIterator[tuple[Shop, httpx.AsyncClient]]:
    app = application(place.url, place.keys)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield app.state.shop, client


async def signed_in(client: httpx.AsyncClient, invitation: str) -> dict[str, Any]:
    """Comes in by the CRM's own routes."""
    body = {"invitation": invitation, "password": PASSWORD}
    reply = await client.post("/crm/auth/invitations/accept", json=body)
    assert reply.status_code == 200, reply.text
    came: dict[str, Any] = reply.json()
    client.headers["authorization"] = f"Bearer {came['access_token']}"
    return came


def order(email: str = "ada@example.com", item: str = "lamp") -> dict[str, str]:
    return {"first_name": "Ada", "last_name": "King", "email": email, "item": item}


async def greeted(shop: Shop, count: int) -> None:
    """Waits until so many are, as long as a test may take."""
    while True:
        async with shop.engine.connect() as connection:
            if await connection.scalar(select(func.count()).select_from(Greeting)) == count:
                return


def test_orders_of_customers_who_are_greeted(place: Place) -> None:
    async def main() -> None:
        async with served(place) as (shop, client):
            assert (await client.get("/crm/health/live")).status_code == 200
            came = await signed_in(client, place.invitation)

            placed = await client.post("/orders", json=order())
            assert placed.status_code == 201, placed.text
            first = placed.json()
            assert (first["item"], first["placed_by"]) == ("lamp", came["user"]["id"])
            # The same customer again, who is no second contact.
            second = (await client.post("/orders", json=order("ADA@example.com", "chair"))).json()
            assert second["contact_id"] == first["contact_id"]
            assert (await client.get("/orders")).json() == [first, second]

            contact = (await client.get(f"/crm/contacts/{first['contact_id']}")).json()
            assert contact["display_name"] == "Ada King"
            await greeted(shop, 1)

            # The CRM refuses what is no address, and then there is no order.
            refused = await client.post("/orders", json=order("ada@"))
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == "emails[0].address"
            assert (await client.post("/orders", json=order(item=""))).status_code == 422
            assert len((await client.get("/orders")).json()) == 2

        # What happens while nobody greets is there at the next start; nobody is greeted twice.
        async with served(place) as (shop, _):
            await shop.session.contacts.create(first_name="Eve")
            await greeted(shop, 2)

    asyncio.run(main())


def test_who_may_take_orders_is_read_from_the_crms_token(place: Place) -> None:
    async def main() -> None:
        async with served(place) as (shop, client):
            assert (await client.get("/orders")).status_code == 401
            owner = await signed_in(client, place.invitation)
            assert (await client.get("/orders")).json() == []

            token = owner["access_token"]
            head, claims, signature = token.split(".")
            altered = "A" if signature[0] != "A" else "B"
            for bad in ("nothing", token[:-9], f"{head}.{claims}.{altered}{signature[1:]}"):
                reply = await client.get("/orders", headers={"authorization": f"Bearer {bad}"})
                assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")

            viewer = await shop.session.users.create("vera@shop.example", "viewer")
            await signed_in(client, viewer.invitation)
            assert (await client.post("/orders", json=order())).status_code == 403
            assert (await client.get("/orders")).json() == []

            # Somebody of another tenant of the same CRM is nobody here.
            other = await shop.crm.tenants.create("Other", "DE", "owner@other.example")
            session = await shop.crm.operator(other.tenant.id)
            invited = await session.users.invite_again(other.owner.id)
            await signed_in(client, invited.invitation)
            assert (await client.get("/orders")).status_code == 401

    asyncio.run(main())


def test_the_tenant_is_made_once(place: Place) -> None:
    async def main() -> None:
        assert await founded(place.url, place.keys, "owner@shop.example") is None

    asyncio.run(main())
