"""What carriers send to a server of the program's own."""

import asyncio
import json

import pytest
from carriers import Awaited, Plain, _signature
from test_ports import Clock, by_clock, got, until, with_account

import crm_core

KINDS = pytest.mark.parametrize("kind", [crm_core.Crm, crm_core.AsyncCrm])
URL = "https://crm.example/carriers/theirs"


class Reachable(Plain):
    """It sends what it has to tell, and is called."""

    take_callbacks = None

    def __init__(self):
        super().__init__()
        self.seen = []

    def sent(self):
        return Plain.take_callbacks(self, now=self.now())

    def verify(self, *, account, request):
        self.seen.append(request)
        return super().verify(account=account, request=request)

    def parse(self, *, request):
        told = json.loads(request["body"])
        if "call" not in told:
            raise crm_core.MalformedError("no news of a call")
        if "to" in told:
            return {"kind": "incoming", "call": told["call"], "from": told["from"], "to": told["to"]}
        return super().parse(request=request)


class ReachableAwaited(Awaited):
    def __init__(self):
        self.plain = Reachable()


def signed(told, token="token", url=URL):
    body = json.dumps({"account": "acme", **told}).encode()
    return {"url": url, "headers": {"X-Signature": _signature(token, url, body)}, "body": body}


async def opened(kind, carrier=Reachable):
    clock = Clock()
    made = by_clock(carrier, clock)
    crm = await got(
        kind.open(
            "sqlite::memory:", public_url="https://crm.example", telephony={"theirs": made}, clock=clock
        )
    )
    return crm, await with_account(crm), getattr(made, "plain", made), clock


@KINDS
@pytest.mark.parametrize("carrier", [Reachable, ReachableAwaited])
def test_what_a_carrier_sends_moves_the_call_on(kind, carrier):
    async def main():
        crm, session, sender, clock = await opened(kind, carrier)
        ada = await got(session.contacts.create(first_name="Ada", phones=[{"number": "+14255550150"}]))
        worker = crm.start_worker()
        call = await got(session.calls.start(ada.id))

        async def placed():
            return (await got(session.calls.get(call.id))).provider_call_id

        await until(placed)
        await got(worker.stop())
        clock.put_forward(20)
        told = []
        for request in sender.sent():
            assert str(call.id) in request["url"]
            for _ in range(2):
                assert await got(crm.webhook("theirs", **request)) == (None, "")
            told.append((await got(session.calls.get(call.id))).status)
        assert told == ["initiated", "ringing", "in_progress", "completed"]
        assert (await got(session.calls.get(call.id))).duration_seconds is None
        await got(crm.close())

    asyncio.run(main())


@KINDS
def test_what_a_carrier_is_answered(kind):
    async def main():
        crm, session, _, _ = await opened(kind)
        call = {"id": "C7", "status": "ringing"}
        sent = signed({"call": call, "from": "+14255550123", "to": "+14255550199"})
        reply = await got(crm.webhook("theirs", **sent))
        assert type(reply) is crm_core.WebhookReply
        assert (reply.content_type, json.loads(reply.body)) == ("application/json", [{"kind": "reject"}])
        with pytest.raises(AttributeError):
            reply.body = ""
        (kept,) = (await got(session.calls.list())).items
        assert (kept.provider_call_id, kept.direction) == ("C7", "inbound")
        await got(crm.close())

    asyncio.run(main())


@KINDS
def test_what_is_not_the_carriers_is_refused(kind):
    async def main():
        crm, session, _, _ = await opened(kind)
        call = {"call": {"id": "C7", "status": "ringing"}, "token": "1"}
        altered = {**signed(call), "body": signed({**call, "token": "2"})["body"]}
        for provider, sent, error in [
            ("nobody", signed(call), crm_core.NotFoundError),
            ("theirs", signed(call, token="another"), crm_core.ForbiddenError),
            ("theirs", {**signed(call), "url": URL + "?call=1"}, crm_core.ForbiddenError),
            ("theirs", altered, crm_core.ForbiddenError),
            ("theirs", {**signed(call), "headers": ()}, crm_core.ForbiddenError),
            ("theirs", signed({**call, "account": "other"}), crm_core.ForbiddenError),
            ("theirs", signed({}), crm_core.MalformedError),
        ]:
            with pytest.raises(error) as raised:
                await got(crm.webhook(provider, **sent))
            assert raised.value.operation == "calls.webhook"
        assert (await got(session.calls.list())).items == ()
        await got(crm.close())

    asyncio.run(main())


def test_headers_and_bodies_as_frameworks_have_them():
    async def main():
        crm, _, carrier, _ = await opened(crm_core.Crm)
        sent = signed({"call": {"id": "C7", "status": "ringing"}, "token": "1"})
        ((name, signature),) = sent["headers"].items()
        pairs = [(name, signature), ("VIA", "a"), ("Via", "b")]
        for headers in (
            pairs,
            tuple(pairs),
            iter(pairs),
            [list(pair) for pair in pairs],
            ((name.encode(), value.encode()) for name, value in pairs),
        ):
            crm.webhook("theirs", **{**sent, "headers": headers})
            seen = [tuple(pair) for pair in carrier.seen.pop()["headers"]]
            assert seen == [("x-signature", signature), ("via", "a"), ("via", "b")]
        for body in (bytearray(sent["body"]), memoryview(sent["body"])):
            crm.webhook("theirs", **{**sent, "body": body})
            assert carrier.seen.pop()["body"] == sent["body"]
        assert not carrier.seen
        crm.close()

    asyncio.run(main())


class Strange(Exception):
    """The program's own."""


class Broken:
    def __iter__(self):
        yield "a", "b"
        raise Strange


@KINDS
@pytest.mark.parametrize(
    "given, field, code",
    [
        ({"provider": 7}, "provider", "invalid_type"),
        ({"url": b"https://crm.example"}, "url", "invalid_type"),
        ({"url": "\ud800"}, "url", "invalid_text"),
        ({"headers": None}, "headers", "invalid_type"),
        ({"headers": "ab"}, "headers[0]", "invalid_type"),
        ({"headers": ["ab"]}, "headers[0]", "invalid_type"),
        ({"headers": {"a": "b", "c": 7}}, "headers[1]", "invalid_type"),
        ({"headers": [("a", "b", "c")]}, "headers[0]", "invalid_type"),
        ({"headers": Broken()}, "headers", "invalid_value"),
        ({"body": "text"}, "body", "invalid_type"),
        ({"body": None}, "body", "invalid_type"),
    ],
)
def test_what_cannot_be_a_request_is_named(kind, given, field, code):
    async def main():
        crm = await got(kind.open("sqlite::memory:"))
        request = {"provider": "twilio", "url": URL, "headers": {}, "body": b"", **given}
        with pytest.raises(crm_core.InvalidError) as raised:
            await got(crm.webhook(**request))
        await got(crm.close())
        return raised.value

    error = asyncio.run(main())
    told = error.fields[0]
    assert (error.operation, told.field, told.code) == ("calls.webhook", field, code)
    assert isinstance(error.__cause__, Strange) == (code == "invalid_value")


def test_a_closed_crm_takes_none(crm):
    crm.close()
    with pytest.raises(crm_core.ConflictError, match="closed"):
        crm.webhook("twilio", url=URL, headers=(), body=b"")
