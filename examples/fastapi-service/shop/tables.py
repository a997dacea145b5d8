"""The shop's own tables, beside the CRM's schema."""

from uuid import UUID

from sqlalchemy import BigInteger, Identity, MetaData, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    metadata = MetaData(schema="shop")


class Order(Table):
    """What somebody ordered."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    contact_id: Mapped[UUID]
    """The customer, a contact of the CRM."""
    placed_by: Mapped[UUID]
    """Who took the order, a user of the CRM."""
    item: Mapped[str]


class Greeting(Table):
    """A contact who was greeted."""

    __tablename__ = "greetings"

    contact_id: Mapped[UUID] = mapped_column(primary_key=True)


def engine(url: str) -> AsyncEngine:
    """By the URL that the CRM takes, too."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))


async def install(admin_url: str) -> None:
    """Makes the shop's tables where they are missing, for the role that the CRM's tables are made for."""
    admin = engine(admin_url)
    async with admin.begin() as connection:
        await connection.execute(text("create schema if not exists shop"))
        await connection.run_sync(Table.metadata.create_all)
        await connection.execute(text("grant usage on schema shop to crm_app"))
        await connection.execute(text("grant select, insert on all tables in schema shop to crm_app"))
    await admin.dispose()
