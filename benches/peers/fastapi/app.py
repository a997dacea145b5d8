"""What a user would write instead: a small, good FastAPI service over the same tables.

SQLAlchemy's async ORM on asyncpg, the tenant set in each transaction for row security, the access token
checked against the key set of crm-http, Pydantic models for what goes out. Run by two workers:

    DATABASE_URL=postgresql+asyncpg://... JWKS_URL=http://.../.well-known/jwks.json \
        uvicorn app:app --workers 2 --no-access-log
"""

import json
import os
import urllib.request
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from sqlalchemy import JSON, DateTime, ForeignKeyConstraint, Uuid, desc, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=8, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class ContactRow(Base):
    __tablename__ = "contacts"
    __table_args__ = {"schema": "crm"}
    tenant_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    deleted: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sort_name: Mapped[str]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    company_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    version: Mapped[int]
    doc: Mapped[dict[str, Any]] = mapped_column(JSON)


class ContactKeyRow(Base):
    __tablename__ = "contact_keys"
    __table_args__ = {"schema": "crm"}
    tenant_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    live: Mapped[bool] = mapped_column(primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)


class ActivityRow(Base):
    __tablename__ = "activities"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "contact_id"], ["crm.contacts.tenant_id", "crm.contacts.id"]
        ),
        {"schema": "crm"},
    )
    tenant_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    kind: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    user_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    doc: Mapped[dict[str, Any]] = mapped_column(JSON)


class Email(BaseModel):
    address: str
    label: str | None = None


class Phone(BaseModel):
    number: str | None = None
    raw: str | None = None
    label: str | None = None


class Contact(BaseModel):
    id: uuid.UUID
    first_name: str | None = None
    last_name: str | None = None
    display_name: str
    company: str | None = None
    company_id: uuid.UUID | None = None
    title: str | None = None
    emails: list[Email] = []
    phones: list[Phone] = []
    addresses: list[dict[str, Any]] = []
    tags: list[str] = []
    custom: dict[str, Any] = {}
    owner_id: uuid.UUID | None = None
    source: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    version: int


class ContactPage(BaseModel):
    items: list[Contact]
    next_cursor: str | None


class NewContact(BaseModel):
    first_name: Annotated[str | None, Field(max_length=255)] = None
    last_name: Annotated[str | None, Field(max_length=255)] = None
    emails: list[Email] = []


class Activity(BaseModel):
    id: uuid.UUID
    contact_id: uuid.UUID
    kind: str
    occurred_at: datetime
    user_id: uuid.UUID | None = None
    subject: str | None = None
    body: str | None = None
    data: dict[str, Any] = {}
    created_at: datetime


class ActivityPage(BaseModel):
    items: list[Activity]
    next_cursor: str | None


class Caller(BaseModel):
    tenant: uuid.UUID
    user: uuid.UUID


keys: dict[str, jwt.PyJWK] = {}


@asynccontextmanager
async def lifespan(_: FastAPI):
    with urllib.request.urlopen(os.environ["JWKS_URL"]) as reply:
        for key in json.load(reply)["keys"]:
            keys[key["kid"]] = jwt.PyJWK(key)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


def caller(
    bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> Caller:
    try:
        key = keys[jwt.get_unverified_header(bearer.credentials)["kid"]]
        claims = jwt.decode(
            bearer.credentials, key, algorithms=["EdDSA"], audience="crm", issuer="crm"
        )
    except (jwt.PyJWTError, KeyError) as error:
        raise HTTPException(401, "unauthenticated") from error
    return Caller(tenant=claims["tenant_id"], user=claims["sub"])


async def transaction(who: Annotated[Caller, Depends(caller)]):
    async with sessions() as session, session.begin():
        await session.execute(
            text("select set_config('crm.tenant_id', :tenant, true)"), {"tenant": str(who.tenant)}
        )
        yield session


Session = Annotated[AsyncSession, Depends(transaction)]
Who = Annotated[Caller, Depends(caller)]


@app.get("/contacts/{id}")
async def get_contact(id: uuid.UUID, who: Who, session: Session) -> Contact:
    row = await session.get(ContactRow, (who.tenant, id))
    if row is None:
        raise HTTPException(404, "not_found")
    return Contact.model_validate(row.doc)


@app.get("/contacts")
async def list_contacts(
    who: Who, session: Session, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> ContactPage:
    rows = await session.scalars(
        select(ContactRow)
        .where(ContactRow.tenant_id == who.tenant, ContactRow.deleted.is_(False))
        .order_by(desc(ContactRow.created_at), desc(ContactRow.id))
        .limit(limit + 1)
    )
    items = [Contact.model_validate(row.doc) for row in rows]
    more = len(items) > limit
    return ContactPage(items=items[:limit], next_cursor=str(items[limit - 1].id) if more else None)


@app.get("/contacts/{id}/activities")
async def timeline(
    id: uuid.UUID, who: Who, session: Session, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> ActivityPage:
    rows = await session.scalars(
        select(ActivityRow)
        .where(ActivityRow.tenant_id == who.tenant, ActivityRow.contact_id == id)
        .order_by(desc(ActivityRow.occurred_at), desc(ActivityRow.id))
        .limit(limit + 1)
    )
    items = [Activity.model_validate(row.doc) for row in rows]
    more = len(items) > limit
    return ActivityPage(items=items[:limit], next_cursor=str(items[limit - 1].id) if more else None)


@app.post("/contacts", status_code=201)
async def create_contact(
    new: NewContact, who: Who, session: Session, response: Response
) -> Contact:
    now = datetime.now(timezone.utc)
    name = " ".join(part for part in (new.first_name, new.last_name) if part)
    contact = Contact(
        id=uuid.uuid4(),
        first_name=new.first_name,
        last_name=new.last_name,
        display_name=name,
        emails=new.emails,
        created_at=now,
        updated_at=now,
        version=1,
    )
    session.add(
        ContactRow(
            tenant_id=who.tenant,
            id=contact.id,
            deleted=False,
            created_at=now,
            updated_at=now,
            sort_name=name.lower(),
            version=1,
            doc=contact.model_dump(mode="json"),
        )
    )
    await session.flush()
    for email in new.emails:
        session.add(
            ContactKeyRow(
                tenant_id=who.tenant,
                kind=0,
                value=email.address.lower(),
                live=True,
                contact_id=contact.id,
            )
        )
    entry = Activity(
        id=uuid.uuid4(),
        contact_id=contact.id,
        kind="contact_created",
        occurred_at=now,
        user_id=who.user,
        created_at=now,
    )
    session.add(
        ActivityRow(
            tenant_id=who.tenant,
            id=entry.id,
            contact_id=contact.id,
            kind=entry.kind,
            occurred_at=now,
            user_id=who.user,
            doc=entry.model_dump(mode="json"),
        )
    )
    response.headers["Location"] = f"/contacts/{contact.id}"
    return contact
