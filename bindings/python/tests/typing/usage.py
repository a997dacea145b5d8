"""Held against mypy --strict and pyright; never run."""

import asyncio
from datetime import datetime, timezone
from uuid import UUID

from typing_extensions import assert_type

from crm_core import AsyncCrm, Contact, ContactPage, Crm, CrmError, FollowedEvent, NewEmail, Reset, SearchHit, WebhookReply


def blocking(crm: Crm, tenant: UUID, user: UUID) -> None:
    session = crm.session(tenant, user)
    email: NewEmail = {"address": "ada@example.com"}
    ada = session.contacts.create(first_name="Ada", emails=[email, {"address": "b@c.example", "label": "work"}])
    assert_type(ada, Contact)
    assert_type(ada.id, UUID)
    assert_type(ada.deleted_at, "datetime | None")
    page = session.contacts.list(limit=10, sort="-created_at")
    assert_type(page, ContactPage)
    for contact in page:
        assert_type(contact, Contact)
    for hit in session.contacts.iterate_search("ada"):
        assert_type(hit, SearchHit)
    session.contacts.update(ada.id, title=None, addresses=ada.addresses)
    session.activities.create(ada.id, "note", occurred_at=datetime.now(timezone.utc))
    session.contacts.import_from("in.csv", on_conflict="update", progress=lambda done: print(done.bytes))
    for event in session.events.subscribe():
        if isinstance(event, Reset):
            continue
        assert_type(event, FollowedEvent)
        break
    told = crm.webhook("twilio", url="https://crm.example/a", headers={"A": "b"}, body=b"")
    assert_type(told, WebhookReply)
    assert_type(told.content_type, "str | None")
    crm.webhook("twilio", url="", headers=[(b"a", b"b")], body="text")  # type: ignore[arg-type]
    try:
        session.contacts.get("x")
    except CrmError as error:
        print(error.code, error.fields[0].field)


async def awaited() -> None:
    async with await AsyncCrm.open("sqlite::memory:") as crm:
        made = await crm.tenants.create("Acme", "DE", "olga@acme.example")
        session = await crm.session(made.tenant.id, made.owner.id)
        assert_type(await session.contacts.get(made.owner.id), Contact)
        async for contact in session.contacts.iterate():
            print(contact.display_name)
        told = await crm.webhook("twilio", url="", headers=[("A", "b"), (b"a", b"b")], body=bytearray())
        assert_type(told.body, str)
        task = asyncio.create_task(session.contacts.list())
        assert_type(await task, ContactPage)


def wrong(crm: Crm, ada: Contact) -> None:
    ada.first_name = "Eve"  # type: ignore[misc]
