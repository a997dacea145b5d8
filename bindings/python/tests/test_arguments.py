"""Whatever is given, there is a reply or a CrmError, and the process lives."""

import math
from collections import OrderedDict, UserDict
from datetime import datetime, timedelta, timezone
from enum import Enum
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crm_core
from crm_core import CrmError, InvalidError


def refused(call, field, code=None):
    with pytest.raises(CrmError) as raised:
        call()
    assert raised.value.fields and raised.value.fields[0].field == field, raised.value.fields
    if code:
        assert raised.value.fields[0].code == code
    return raised.value


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_each_wrong_value_is_named(session):
    contacts, activities = session.contacts, session.activities
    ada = contacts.create(first_name="Ada")
    naive = datetime(2026, 1, 1)
    refused(lambda: activities.create(ada.id, "note", occurred_at=naive), "occurred_at", "naive_datetime")
    refused(lambda: contacts.create(first_name="\ud800"), "first_name", "invalid_text")
    refused(lambda: contacts.create(first_name="a\0b"), "first_name")
    refused(lambda: contacts.create(first_name="a", custom={"n": math.nan}), "custom.n", "invalid_number")
    refused(lambda: contacts.create(first_name="a", custom={"n": math.inf}), "custom.n", "invalid_number")
    refused(lambda: contacts.create(first_name="a", custom={"n": 1 << 70}), "custom.n", "invalid_number")
    refused(lambda: contacts.create(first_name="a", custom={1: 2}), "custom", "invalid_type")
    refused(lambda: contacts.create(first_name=b"a"), "first_name", "invalid_type")
    refused(lambda: contacts.create(first_name=object()), "first_name", "invalid_type")
    refused(lambda: contacts.create(first_name=3), "first_name")
    refused(lambda: contacts.create(first_name="a", tags="abc"), "tags")
    refused(lambda: contacts.create(first_name="a", emails=[{"address": "a@b.example"}, {"address": object()}]),
            "emails[1].address", "invalid_type")
    with pytest.raises(CrmError):
        activities.create(ada.id, "note", data=nested(10_000))
    loop = {}
    loop["loop"] = loop
    with pytest.raises(InvalidError):
        activities.create(ada.id, "note", data=loop)


def test_many_forms_are_understood(session):
    class Kind(str, Enum):
        NOTE = "note"

    ada = session.contacts.create(
        first_name="Ada", tags={"x"}, custom=OrderedDict(a=True, b=2, c="d"),
        addresses=[UserDict(city="London")],
    )
    again = session.contacts.create(first_name="Eve", addresses=ada.addresses, custom=ada.custom)
    assert again.addresses == ada.addresses and again.custom == {"a": True, "b": 2, "c": "d"}
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2, seconds=30)))
    note = session.activities.create(contact_id=ada.id, kind=Kind.NOTE, occurred_at=at)
    assert note.occurred_at == at
    assert session.activities.list(from_=at, to=at + timedelta(seconds=1)).items == (note,)


def test_an_error_of_the_hosts_own_object_is_the_cause(session):
    class Broken(UserDict):
        def items(self):
            raise RuntimeError("mine")

    error = refused(lambda: session.contacts.create(first_name="a", custom=Broken()), "custom")
    assert isinstance(error.__cause__, RuntimeError)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5) | st.uuids()
    | st.text(max_size=20) | st.text(st.characters(categories=["Cs", "Cc", "L"]), max_size=5)
    | st.datetimes() | st.datetimes(timezones=st.timezones()) | st.builds(object) | st.decimals() | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    | st.tuples(inner) | st.frozensets(st.integers(), max_size=2),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(["first_name", "last_name", "emails", "phones", "addresses", "tags", "custom", "owner_id", "source"]),
    VALUES, max_size=4,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(fields=FIELDS, value=VALUES)
def test_anything_is_an_answer_or_an_error(session, fields, value):
    ada = session.contacts.create(first_name="Ada").id
    for call in (
        lambda: session.contacts.create(**fields),
        lambda: session.contacts.update(ada, **fields),
        lambda: session.contacts.get(value),
        lambda: session.contacts.list(**{"limit": value}),
        lambda: session.contacts.list(created_after=value, email=value, cursor=value, sort=value),
        lambda: session.contacts.search(value),
        lambda: session.activities.create(ada, value, data=value, occurred_at=value),
        lambda: session.contacts.create_all(value),
        lambda: session.contacts.import_from(b"name\nAda\n", format=value, columns=value, dry_run=True),
    ):
        try:
            call()
        except CrmError:
            pass


def test_unset_is_absent(session):
    ada = session.contacts.create(first_name="Ada")
    assert session.contacts.update(ada.id, first_name=crm_core.UNSET).first_name == "Ada"
    with pytest.raises(crm_core.NotFoundError):
        session.contacts.update(uuid4(), first_name="x")
