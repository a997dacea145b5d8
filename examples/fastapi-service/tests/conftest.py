"""The shop on a database of its own, which the tests' server has for the run."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from shop.service import founded
from shop.tables import install
from sqlalchemy import make_url


def needed(name: str) -> str:
    value = os.environ.get(name)
    assert value, f"{name} is not set: run the tests with `scripts/test-bindings examples`"
    return value


@dataclass(frozen=True)
class Place:
    """Where the shop's data is, and how its owner comes in."""

    url: str
    admin_url: str
    keys: str
    invitation: str


async def as_admin(url: str, sql: str) -> None:
    connection: Any = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


async def made(admin_url: str, url: str, keys: str) -> str | None:
    await install(admin_url)
    return await founded(url, keys, "owner@shop.example")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    server = needed("CRM_TEST_DATABASE_URL")
    name = f"fastapi_service_{os.getpid()}"
    admin = make_url(server).set(database=name)
    admin_url = admin.render_as_string(hide_password=False)
    url = admin.set(username="crm_app", password=None).render_as_string()
    keys = str(tmp_path / "crm.keys.toml")
    asyncio.run(as_admin(server, f"create database {name} template template0"))
    try:
        subprocess.run(
            [needed("CRM_HTTP"), "migrate", "--database", admin_url], check=True, capture_output=True
        )
        invitation = asyncio.run(made(admin_url, url, keys))
        assert invitation is not None
        yield Place(url, admin_url, keys, invitation)
    finally:
        asyncio.run(as_admin(server, f"drop database if exists {name} with (force)"))
