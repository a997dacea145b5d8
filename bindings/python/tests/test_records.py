"""What the CRM answers with, and its errors."""

import copy
import inspect
import json
import pickle
from datetime import timezone
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import crm_core
from crm_core import _errors, _surface

SURFACE = json.loads((Path(__file__).parents[2] / "surface.json").read_text())


def test_a_reply_is_a_frozen_object(session):
    made = session.contacts.create(first_name="Ada", emails=[{"address": "ada@example.com"}], custom={"n": 1.5})
    assert isinstance(made, crm_core.Contact)
    assert isinstance(made.id, UUID) and made.created_at.tzinfo is timezone.utc
    assert made.emails[0].address == "ada@example.com" and isinstance(made.emails, tuple)
    assert made == session.contacts.get(str(made.id)) and hash(made) == hash(session.contacts.get(made.id))
    with pytest.raises(AttributeError):
        made.first_name = "Eve"
    with pytest.raises(AttributeError):
        del made.first_name
    with pytest.raises(AttributeError, match="no attribute 'nickname'"):
        _ = made.nickname
    with pytest.raises(TypeError):
        crm_core.Contact()
    assert "first_name" in dir(made) and "first_name='Ada'" in repr(made)


def test_a_reply_is_copied_and_pickled(session):
    made = session.contacts.create(first_name="Ada", phones=[{"number": "030 123456"}])
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again == made and type(again) is type(made)
    plain = json.loads(json.dumps(made.to_dict()))
    assert plain["id"] == str(made.id) and plain["phones"][0]["number"] == "+4930123456"
    assert plain["created_at"].endswith("Z")


def test_every_field_of_a_reply_is_as_its_class_says(session):
    made = session.contacts.create(first_name="Ada")
    session.activities.create(made.id, "note", body="hello")
    replies = [
        made, session.contacts.list(include_total=True), session.contacts.list(), session.tenant.get(),
        session.account.me(), session.activities.list(), session.notifications.preferences(),
        session.users.list(), session.audit.list(), session.jobs.list(),
    ]
    for reply in replies:
        named = set(inspect.get_annotations(type(reply)))
        assert set(reply._values()) == named, type(reply)


def test_none_clears_and_what_is_not_given_stays(session):
    made = session.contacts.create(first_name="Ada", title="Countess", tags=["a"])
    changed = session.contacts.update(made.id, title=None)
    assert (changed.first_name, changed.title, changed.tags) == ("Ada", None, ("a",))
    with pytest.raises(crm_core.VersionConflictError):
        session.contacts.update(made.id, title="x", version=1)


def test_pages_are_walked_with_one_call_each(session):
    session.contacts.create_all([{"first_name": f"c{n}"} for n in range(5)])
    page = session.contacts.list(limit=2)
    assert len(page) == 2 and page.next_cursor and page.total is None
    assert [one.first_name for one in session.contacts.iterate(limit=2)] == ["c0", "c1", "c2", "c3", "c4"]


def test_errors_have_a_class_for_each_code(session):
    assert set(_errors.BY_CODE) == set(SURFACE["errors"])
    for kind in _errors.BY_CODE.values():
        assert getattr(crm_core, kind.__name__) is kind
    with pytest.raises(crm_core.NotFoundError) as raised:
        session.contacts.get(uuid4())
    assert (raised.value.code, raised.value.operation) == ("not_found", "contacts.get")
    held = session.contacts.create(first_name="Ada", emails=[{"address": "ada@example.com"}])
    with pytest.raises(crm_core.AlreadyExistsError) as raised:
        session.contacts.create(first_name="Eve", emails=[{"address": "ada@example.com"}])
    error = raised.value
    assert error.existing_id == held.id and error.fields[0].code == "already_exists" and not error.retryable
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.existing_id == held.id and again.fields == error.fields


def test_every_operation_and_stream_is_there():
    for prefix in ("", "Async"):
        for one in SURFACE["operations"]:
            namespace, verb = one["name"].split(".")
            owner = "Session" if one["in_session"] else "Crm"
            kind = inspect.get_annotations(getattr(_surface, f"{prefix}{owner}Namespaces"))[namespace]
            method = getattr(getattr(_surface, kind), verb)
            assert method.__doc__ and inspect.iscoroutinefunction(method) == bool(prefix)
        for stream in SURFACE["streams"]:
            namespace, verb = stream["name"].split(".")
            if not stream["in_session"]:
                of = getattr(crm_core, f"{prefix}Crm")
            elif namespace == "events":
                of = getattr(crm_core._core, f"{prefix}Events")
            else:
                of = getattr(_surface, prefix + namespace.title())
            assert hasattr(of, verb)


def test_an_error_has_its_cause(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(crm_core.CrmError) as raised:
        crm_core.Crm.open(f"sqlite://{tmp_path / 'folder'}")
    assert isinstance(raised.value.__cause__, _errors.Cause), raised.value


def test_options_are_checked():
    with pytest.raises(crm_core.InvalidError) as raised:
        crm_core.Crm.open("sqlite::memory:", colour="blue")
    assert raised.value.fields[0].field == "colour"
    with pytest.raises(crm_core.InvalidError):
        crm_core.Crm.open("nonsense")


def test_a_closed_crm_says_so(crm):
    crm.close()
    with pytest.raises(crm_core.ConflictError, match="closed"):
        crm.tenants.list()


def test_who_comes_in_has_a_session(crm):
    came = crm.identity.register(
        company_name="Beta", full_name="Bo", email="bo@beta.example", password="correct horse battery staple",
        default_region="DE",
    )
    session = crm.authenticate(came.access_token)
    assert session.account.me().user.email == "bo@beta.example"
    assert crm.operator(came.tenant.id).tenant.get().name == "Beta"
    with pytest.raises(crm_core.UnauthenticatedError):
        crm.authenticate("nobody")
    with pytest.raises(crm_core.InvalidError):
        crm.session(came.tenant.id, "x")
