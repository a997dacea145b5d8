"""Events, one by one and in groups."""

import crm_core


def test_events_come_in_order(session):
    events = session.events.subscribe()
    ada = session.contacts.create(first_name="Ada")
    session.contacts.update(ada.id, title="Countess")
    session.contacts.delete(ada.id)
    seen = [events.next(10) for _ in range(3)]
    names = ["contact.created.v1", "contact.updated.v1", "contact.deleted.v1"]
    assert [one.name for one in seen] == names
    assert isinstance(seen[0], crm_core.FollowedEvent) and seen[0].subject.id == ada.id
    assert events.next(0.05) is None
    later = session.events.subscribe(after=seen[0].position)
    assert [one.name for _, one in zip(range(2), later)] == names[1:]


def test_a_foreign_position_is_a_reset(session):
    events = session.events.subscribe(after="00000fffffffffff")
    assert isinstance(events.next(10), crm_core.Reset)


def test_a_group_goes_on_where_it_was(session):
    group = session.events.group("letters")
    session.contacts.create(first_name="Ada")
    batch = next(group)
    again = next(session.events.group("letters"))
    assert again.events == batch.events and not batch.incomplete
    # The effect and the place of the group in one commit.
    again.session().contacts.create(first_name="letter for Ada")
    left = session.events.group("letters").next(10)
    assert [one.subject.id for one in left.events] != [one.subject.id for one in batch.events]
    left.done()
    assert session.events.group("letters").next(0.05) is None
