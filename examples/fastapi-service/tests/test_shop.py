"""The shop on a database of its own, asked as browsers do."""

import asyncio
import os
import subprocess
import uuid
from pathlib import Path

import asyncpg
import httpx
import pytest
from asgi_lifespan import LifespanManager

ROOT = Path(__file__).parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TABLES = """
    create schema shop;
    create table shop.orders (
        id bigint generated always as identity primary key, contact_id uuid not null, item text not null
    );
    create table shop.greetings (contact_id uuid primary key);
    grant usage on schema shop to crm_app;
    grant select, insert on all tables in schema shop to crm_app;
"""
SIGN_UP = {
    "company_name": "Shop",
    "full_name": "Olive Owner",
    "email": "olive@example.com",
    "password": "nine herons over the weir",
}
ADA = {"first_name": "Ada", "last_name": "King", "email": "ada@example.com", "item": "lamp"}


async def run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


@pytest.fixture
def database(monkeypatch, tmp_path):
    server = os.environ.get("CRM_TEST_DATABASE_URL")
    assert server, "CRM_TEST_DATABASE_URL is not set: run the tests with `scripts/test`"
    name = f"fastapi_{uuid.uuid4().hex[:12]}"
    own = server.rsplit("/", 1)[0] + "/" + name
    asyncio.run(run(server, f"create database {name} template template0"))
    subprocess.run([TARGET / "debug" / "crm-http", "migrate", "--database", own], check=True)
    asyncio.run(run(own, TABLES))
    host = own.split("@")[1]
    monkeypatch.setenv("DATABASE_URL", f"postgres://crm_app@{host}")
    monkeypatch.setenv("CRM_KEYS", str(tmp_path / "keys.toml"))
    yield own
    asyncio.run(run(server, f"drop database {name} with (force)"))


def test_an_order_is_placed_by_who_signed_in_at_the_crm(database):
    async def scenario() -> None:
        import shop

        async with LifespanManager(shop.app) as manager:
            transport = httpx.ASGITransport(app=manager.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                refused = await client.post("/orders", json=ADA)
                assert refused.status_code in (401, 403)
                refused = await client.get("/orders", headers={"authorization": "Bearer x.y.z"})
                assert refused.status_code == 401

                came = (await client.post("/crm/auth/register", json=SIGN_UP)).json()
                client.headers["authorization"] = f"Bearer {came['access_token']}"
                placed = await client.post("/orders", json=ADA)
                assert placed.status_code == 201, placed.text
                again = (await client.post("/orders", json=ADA | {"item": "chair"})).json()
                assert not again["new_customer"]
                assert again["contact_id"] == placed.json()["contact_id"]
                refused = await client.post("/orders", json=ADA | {"email": "ada@"})
                assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
                orders = (await client.get("/orders")).json()
                assert [order["item"] for order in orders] == ["lamp", "chair"]

                contact = await client.get(f"/crm/contacts/{again['contact_id']}")
                assert contact.json()["display_name"] == "Ada King"
                greeting = asyncio.create_task(shop.app.state.shop.greet(came["tenant"]["id"]))
                connection = await asyncpg.connect(database)
                while not await connection.fetchval("select count(*) from shop.greetings"):
                    assert not greeting.done(), greeting.exception()
                    await asyncio.sleep(0)
                await connection.close()
                greeting.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 50))
