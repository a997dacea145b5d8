"""Ports that are written in Python."""

import asyncio
import inspect
import json
import threading
import time
import typing
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from carriers import Awaited, Plain

import crm_core
from crm_core import _native, ports

CARRIERS = pytest.mark.parametrize("carrier", [Plain, Awaited])
SECRETS = {"auth_tokens": ["token"]}


class Clock:
    """A clock that is put forward."""

    def __init__(self):
        self.moment = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)

    def now(self):
        return self.moment

    def put_forward(self, seconds):
        self.moment += timedelta(seconds=seconds)


def by_clock(carrier, clock):
    """The carrier in the clock's time."""
    made = carrier()
    getattr(made, "plain", made).now = clock.now
    return made


class PlainBlobs:
    def __init__(self):
        self.kept = {}

    def put(self, *, key, chunks):
        self.kept[key] = b"".join(chunks)

    def get(self, *, key, start, end):
        if key not in self.kept:
            raise crm_core.NotFoundError("no such blob")
        piece = self.kept[key][start:end]
        return iter([piece[:100], piece[100:]])

    def delete(self, *, key):
        self.kept.pop(key, None)


class AwaitedBlobs:
    def __init__(self):
        self.kept = {}
        self.raises = None
        self.hangs = False
        self.cancelled = asyncio.Event()
        self.loops = set()

    async def put(self, *, key, chunks):
        self.loops.add(asyncio.get_running_loop())
        self.kept[key] = b"".join([chunk async for chunk in chunks])

    async def get(self, *, key, start, end):
        if self.raises is not None:
            raise self.raises
        try:
            while self.hangs:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        for at in range(start, end, 5000):
            yield self.kept[key][at : min(at + 5000, end)]

    async def delete(self, *, key):
        self.kept.pop(key, None)

    async def check(self):
        await asyncio.sleep(0)


class Bus:
    def __init__(self):
        self.listening = []
        self.published = []

    async def publish(self, *, message):
        self.published.append(message)
        for queue in self.listening:
            queue.put_nowait(message)

    async def subscribe(self):
        queue = asyncio.Queue()
        self.listening.append(queue)
        try:
            yield None
            while True:
                yield await queue.get()
        finally:
            self.listening.remove(queue)


class Letters:
    def __init__(self):
        self.sent = []

    def send(self, *, notification, user):
        self.sent.append((notification, user))


class AwaitedLetters(Letters):
    async def send(self, *, notification, user):
        await asyncio.sleep(0)
        super().send(notification=notification, user=user)


async def got(given):
    """What a `Crm` answers at once, and an `AsyncCrm` when it is awaited."""
    return await given if inspect.isawaitable(given) else given


async def until(true):
    """Waits for what others bring about."""
    for _ in range(3000):
        value = await got(true())
        if value:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")


async def with_account(crm, provider="theirs"):
    acme = await got(crm.tenants.create("Acme", "US", "olga@acme.example"))
    session = await got(crm.operator(acme.tenant.id))
    await got(
        session.telephony.create_account(provider, "acme", SECRETS, numbers=["+14255550199"])
    )
    return session


async def recorded(session, clock):
    """A call to Ada that was recorded."""
    ada = await got(
        session.contacts.create(first_name="Ada", phones=[{"number": "+14255550150"}])
    )
    await got(session.contacts.record_consent(ada.id, "recording", True))
    call = await got(session.calls.start(ada.id, record=True))

    async def over():
        clock.put_forward(0.1)
        return (await got(session.calls.get(call.id))).status == "completed"

    async def heard():
        try:
            return await got(session.calls.recording(call.id))
        except crm_core.NotFoundError:
            return None

    await until(over)
    # The carrier is asked for recordings some minutes after the end.
    clock.put_forward(600)
    return ada, call, await until(heard)


@CARRIERS
def test_a_carrier_in_python_does_what_every_carrier_must(carrier):
    proofs = _native.prove_telephony(carrier).wait()
    assert len(proofs) >= 10
    assert [proof for proof in proofs if proof[1] is not None] == []


def test_a_carrier_that_does_wrong_is_found():
    class Deaf(Plain):
        def hang_up(self, *, account, call_id):
            return self.fetch(account=account, call_id=call_id)

    wrong = {case for case, wrong in _native.prove_telephony(Deaf).wait() if wrong}
    assert wrong == {"a_call_that_is_hung_up_ends", "hanging_up_twice_is_once"}


@pytest.mark.parametrize("kind", [crm_core.Crm, crm_core.AsyncCrm])
@pytest.mark.parametrize(
    "carrier, blobs, letters",
    [(Plain, PlainBlobs, Letters), (Awaited, AwaitedBlobs, AwaitedLetters)],
)
def test_a_call_is_followed_and_its_recording_kept(tmp_path, kind, carrier, blobs, letters):
    async def main():
        clock, kept, bus, letter = Clock(), blobs(), Bus(), letters()
        crm = await got(
            kind.open(
                f"sqlite://{tmp_path / 'crm.db'}",
                public_url="https://crm.example",
                telephony={"theirs": by_clock(carrier, clock)},
                blobs=kept,
                clock=clock,
                event_bus=bus,
                channels={"letter": letter},
            )
        )
        session = await with_account(crm)
        await got(session.notifications.broadcast("Closed on Friday"))
        worker = crm.start_worker()
        ada, call, recording = await recorded(session, clock)
        assert recording.content_type == "audio/basic"
        assert await got(recording.read()) == b"\xff" * 8010
        assert await got(recording.read(3, 8)) == b"\xff" * 5
        assert len(kept.kept) == 1
        if isinstance(kept, AwaitedBlobs):
            mine = asyncio.get_running_loop()
            assert [loop is mine for loop in kept.loops] == [kind is crm_core.AsyncCrm]
        entries = (await got(session.contacts.timeline(ada.id))).items
        assert ("call", "completed") in [(one.kind, one.data.get("status")) for one in entries]
        call = await got(session.calls.get(call.id))
        assert (call.provider, call.provider_call_id, call.duration_seconds) == ("theirs", "C1", 10)
        assert call.ended_at - call.answered_at == timedelta(seconds=10)
        assert timedelta(0) <= clock.now() - call.created_at < timedelta(hours=1)
        (notification, user), *_ = await until(lambda: letter.sent)
        assert isinstance(notification, crm_core.Notification) and isinstance(user, crm_core.User)
        assert (notification.title, user.email) == ("Closed on Friday", "olga@acme.example")
        assert any("events" in message for message in bus.published)
        await got(worker.stop())
        assert bus.listening
        del session, recording, worker
        await got(crm.close())
        await until(lambda: not bus.listening)

    asyncio.run(main())


def test_two_nodes_hear_of_each_other(tmp_path):
    bus = Bus()
    url = f"sqlite://{tmp_path / 'crm.db'}"
    with crm_core.Crm.open(url, event_bus=bus) as one, crm_core.Crm.open(url, event_bus=bus) as other:
        acme = one.tenants.create("Acme", "DE", "olga@acme.example")
        asyncio.run(until(lambda: len(bus.listening) == 2))
        events = other.session(acme.tenant.id, acme.owner.id).events.subscribe()
        one.session(acme.tenant.id, acme.owner.id).contacts.create(first_name="Ada")
        assert events.next(10).name == "contact.created.v1"
        asyncio.run(until(lambda: bus.published))
        assert all(len(message) < 8000 for message in bus.published)


class Strange(Exception):
    """What only the host knows."""


def broken_clock(error):
    class Broken:
        def now(self):
            raise error

    return Broken()


def test_what_a_port_raises_is_the_cause():
    strange = Strange("s3cret")
    with pytest.raises(crm_core.InternalError) as raised:
        crm_core.Crm.open("sqlite::memory:", clock=broken_clock(strange))
    assert raised.value.__cause__ is strange
    assert str(raised.value) == "crm.open: `now` of the host's clock has failed"


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), asyncio.TimeoutError()])
def test_what_passes_is_unavailable(error):
    with pytest.raises(crm_core.UnavailableError) as raised:
        crm_core.Crm.open("sqlite::memory:", clock=broken_clock(error))
    assert raised.value.retryable and raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        crm_core.InvalidError("no", fields=(crm_core.FieldError("a[0].b", "too_short", "no"),)),
        crm_core.RateLimitedError("slowly", retry_after=1.5),
        crm_core.ConflictError("not now"),
    ],
)
def test_an_error_of_ours_is_kept(error):
    with pytest.raises(type(error)) as raised:
        crm_core.Crm.open("sqlite::memory:", clock=broken_clock(error))
    assert raised.value.__cause__ is error
    assert (raised.value.message, raised.value.fields) == (error.message, error.fields)
    assert raised.value.retry_after == error.retry_after


def test_what_a_check_says_is_told():
    class Choosy(Plain):
        raises = crm_core.InvalidError("no", fields=(crm_core.FieldError("name", "odd", "no"),))

        def check(self, *, account):
            raise self.raises

    with crm_core.Crm.open("sqlite::memory:", telephony={"theirs": Choosy()}) as crm:
        with pytest.raises(crm_core.InvalidError) as raised:
            asyncio.run(with_account(crm))
        assert raised.value.fields == Choosy.raises.fields
    with crm_core.Crm.open("sqlite::memory:", telephony={"theirs": Choosy()}) as crm:
        Choosy.raises = Strange()
        with pytest.raises(crm_core.InternalError) as raised:
            asyncio.run(with_account(crm))
        assert raised.value.__cause__ is Choosy.raises


def test_an_awaited_method_that_raises_or_hangs(tmp_path):
    async def main():
        clock, blobs = Clock(), AwaitedBlobs()
        async with await crm_core.AsyncCrm.open(
            f"sqlite://{tmp_path / 'crm.db'}",
            telephony={"theirs": by_clock(Awaited, clock)},
            blobs=blobs,
            clock=clock,
            port_timeout=2,
        ) as crm:
            async with crm.start_worker():
                _, _, recording = await recorded(await with_account(crm), clock)
            blobs.raises = Strange()
            with pytest.raises(crm_core.InternalError) as raised:
                await recording.read()
            assert raised.value.__cause__ is blobs.raises
            blobs.raises, blobs.hangs = None, True
            with pytest.raises(crm_core.UnavailableError) as raised:
                await recording.read()
            assert "`get` of the host's blobs has not answered within 2s" in str(raised.value)
            await asyncio.wait_for(blobs.cancelled.wait(), 10)

    asyncio.run(main())


def test_a_plain_method_that_hangs_is_left_alone():
    over = threading.Event()

    class Hanging:
        def now(self):
            over.wait(30)

    begun = time.monotonic()
    try:
        with pytest.raises(crm_core.UnavailableError) as raised:
            crm_core.Crm.open("sqlite::memory:", clock=Hanging(), port_timeout=0.1)
        assert "`now` of the host's clock has not answered within 100ms" in str(raised.value)
        assert time.monotonic() - begun < 10
    finally:
        over.set()


@pytest.mark.parametrize(
    "answer, told",
    [
        ({"status": "queued"}, "at `id`: missing field"),
        ({"id": "C1", "status": "dead"}, "at `status`: expected one of `queued`"),
        ({"id": "C1", "status": "queued", "duration": 3}, "at `duration`: unknown field"),
        (
            {"id": "C1", "status": "queued", "ended_at": datetime(2026, 3, 1, 9, 30)},
            "at `ended_at`: a datetime without a time zone cannot be here",
        ),
        ({"id": object(), "status": "queued"}, "at `id`: an object of type `object` cannot be here"),
        (None, "answered wrongly: expected a call"),
    ],
)
@CARRIERS
def test_a_wrong_answer_is_told_by_method_and_field(carrier, answer, told):
    class Wrong(Plain):
        def fetch(self, *, account, call_id):
            return answer

    def made():
        wrong = carrier()
        if carrier is Awaited:
            wrong.plain = Wrong()
            return wrong
        return Wrong()

    proofs = dict(_native.prove_telephony(made).wait())
    wrong = proofs["a_started_call_is_fetched"]
    assert "kind: Internal" in wrong
    assert "`fetch` of the host's telephony answered wrongly" in wrong and told in wrong


@pytest.mark.parametrize(
    "now, told",
    [
        (datetime(2026, 3, 1), "a datetime without a time zone"),
        (None, "expected a time with a time zone"),
        (1.5, "expected a time with a time zone"),
    ],
)
def test_a_clock_that_tells_no_time_is_refused(now, told):
    class Stopped:
        def now(self):
            return now

    with pytest.raises(crm_core.InternalError) as raised:
        crm_core.Crm.open("sqlite::memory:", clock=Stopped())
    assert "`now` of the host's clock answered wrongly" in str(raised.value)
    assert told in str(raised.value)


def test_what_must_be_plain_must_not_be_awaited():
    class Later:
        async def now(self):
            raise AssertionError("it is not run")

    with pytest.raises(crm_core.InternalError) as raised:
        crm_core.Crm.open("sqlite::memory:", clock=Later())
    assert "must not be asynchronous" in str(raised.value.__cause__)


def test_times_with_any_offset_are_read():
    class Far:
        def now(self):
            return datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=5, seconds=7)))

    with crm_core.Crm.open("sqlite::memory:", clock=Far()) as crm:
        made = crm.tenants.create("Acme", "NP", "olga@acme.example")
        assert made.tenant.created_at == Far().now()


@pytest.mark.parametrize("kind", [crm_core.Crm, crm_core.AsyncCrm])
@pytest.mark.parametrize(
    "given, field",
    [
        ({"telephony": {"theirs": object()}}, "telephony.start"),
        ({"telephony": {"Their Name": Plain()}}, "telephony"),
        ({"telephony": Plain()}, "telephony"),
        ({"event_bus": Letters()}, "bus.publish"),
        ({"blobs": Letters()}, "blobs.put"),
        ({"clock": Letters()}, "clock.now"),
        ({"channels": {"letter": Bus()}}, "channel.send"),
        ({"channels": {"in_app": Letters()}}, "channels"),
        ({"port_timeout": 0}, "port_timeout"),
        ({"port_timeout": "long"}, "port_timeout"),
    ],
)
def test_what_cannot_be_a_port_is_refused(kind, given, field):
    async def main():
        return await got(kind.open("sqlite::memory:", **given))

    with pytest.raises(crm_core.InvalidError) as raised:
        asyncio.run(main())
    assert raised.value.code == "invalid" and raised.value.fields[0].field == field


def test_what_a_protocol_brings_is_no_method():
    class Half(ports.Blobs):
        def put(self, *, key, chunks):
            """Nothing is kept."""

    with pytest.raises(crm_core.InvalidError) as raised:
        crm_core.Crm.open("sqlite::memory:", blobs=Half())
    assert [one.field for one in raised.value.fields] == ["blobs.get", "blobs.delete"]


PROTOCOLS = {
    "telephony": [
        ports.Telephony,
        ports.TelephonyCheck,
        ports.TelephonyRecordings,
        ports.TelephonyCallbacks,
        ports.SimulatedTelephony,
    ],
    "bus": [ports.EventBus],
    "blobs": [ports.Blobs, ports.BlobsCheck],
    "clock": [ports.Clock],
    "channel": [ports.NotificationChannel],
}


def test_the_protocols_are_the_contract():
    contract = json.loads(_native.port_methods())
    asked = {
        (one["port"], one["name"]): (one["arguments"], one["at_once"], one["optional"])
        for one in contract["methods"]
    }
    written = {}
    for port, protocols in PROTOCOLS.items():
        for first, protocol in enumerate(protocols):
            for name, method in vars(protocol).items():
                if name.startswith("_") or not callable(method):
                    continue
                given = inspect.signature(method).parameters.values()
                named = [one.name for one in given if one.kind is one.KEYWORD_ONLY]
                assert len(named) == len(given) - 1, f"{port}.{name} takes keywords only"
                at_once = (method.__doc__ or "").startswith("At once") or port == "clock"
                written[port, name] = (named, at_once, first > 0)
    assert written == asked


def test_the_shapes_are_the_contract():
    contract = json.loads(_native.port_methods())["answers"]
    # What has no schema stands beside.
    beside = {"CarrierAudio": {"chunks"}, "CarrierRequest": {"body"}}
    shapes = {name: schema for name, schema in contract.items() if "properties" in schema}
    assert {"CarrierCall", "CarrierNews", "CarrierReply", "Price"} <= set(shapes)
    for name, schema in shapes.items():
        shape = getattr(ports, name)
        extra = beside.get(name, set())
        assert set(shape.__annotations__) == set(schema["properties"]) | extra, name
        needed = set(schema.get("required", [])) | extra
        optional = {
            field
            for field, kind in shape.__annotations__.items()
            if "NotRequired" in str(getattr(kind, "__forward_arg__", kind))
        }
        assert set(shape.__annotations__) - optional == needed, name
    words = shapes["CarrierCall"]["properties"]["status"]["oneOf"]
    assert {word["const"] for word in words} == set(typing.get_args(ports.CallStatus))


def test_values_of_many_types_are_read():
    seen = []

    class Typed(Plain):
        def start(self, *, account, call):
            seen.append((account, call))
            made = super().start(account=account, call=call)
            made["id"] = self.made[-1]["id"] = uuid.UUID(int=len(self.made))
            return {**made, "steps": tuple(made["steps"])}

        def _line(self, account, call):
            return super()._line(account, uuid.UUID(call) if "-" in call else call)

    proofs = dict(_native.prove_telephony(Typed).wait())
    assert proofs["a_started_call_is_fetched"] is None
    account, call = seen[0]
    assert account == {
        "name": "proven",
        "secrets": {"auth_tokens": ["token"], "api_key": None},
        "options": {},
    }
    assert set(call) == set(ports.OutgoingCall.__annotations__)
    assert set(account) == set(ports.CarrierAccount.__annotations__)
