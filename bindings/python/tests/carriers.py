"""A carrier of calls whose time passes when it is told to: with plain methods, and for asyncio."""

import asyncio
import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone

import crm_core

COURSE = [("initiated", 0), ("ringing", 2), ("in_progress", 5), ("completed", 15)]
"""How each call goes, and after how many seconds."""


class Plain:
    """Everything that a carrier can do."""

    def __init__(self, moment=datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)):
        self.moment = moment
        self.made = []

    # Its time.

    def now(self):
        return self.moment

    def pass_time(self, *, seconds):
        self.moment += timedelta(seconds=seconds)

    # What is asked of it.

    def check(self, *, account):
        if len(account["name"]) > 32:
            refused = crm_core.FieldError("name", "too_long", "an account has a short name")
            raise crm_core.InvalidError(refused.message, fields=(refused,))

    def start(self, *, account, call):
        line = {
            "id": f"C{len(self.made) + 1}",
            "account": account,
            "asked": call,
            "at": self.now(),
            "hung_up": None,
            "erased": False,
            "told": 0,
        }
        self.made.append(line)
        return self._call(line)

    def find(self, *, account, sought):
        return [
            self._call(line)
            for line in self._of(account)
            if sought["since"] <= line["at"] <= sought["until"]
            and all(line["asked"][side] == sought[side] for side in ("from", "to"))
        ]

    def fetch(self, *, account, call_id):
        return self._call(self._line(account, call_id))

    def hang_up(self, *, account, call_id):
        line = self._line(account, call_id)
        if self._events(line)[-1][0] not in ("completed", "canceled"):
            line["hung_up"] = self.now()
        return self._call(line)

    def recordings(self, *, account, call_id):
        line = self._line(account, call_id)
        talked = self._call(line)["duration_seconds"]
        if talked is None or line["erased"] or not line["asked"]["record"]:
            return []
        return [{"id": f"R{call_id}", "status": "completed", "duration_seconds": talked, "channels": 1}]

    def audio(self, *, account, recording_id):
        call = recording_id.removeprefix("R")
        if not self.recordings(account=account, call_id=call):
            raise crm_core.NotFoundError("no such recording")
        return {"content_type": "audio/basic", "chunks": iter([b"\xff" * 8000, b"\xff" * 10]), "bytes": 8010}

    def delete_recording(self, *, account, recording_id):
        for line in self._of(account):
            line["erased"] = line["erased"] or recording_id == "R" + line["id"]

    # What it tells.

    def account_of(self, *, request):
        return json.loads(request["body"])["account"]

    def verify(self, *, account, request):
        given = dict(request["headers"]).get("x-signature", "")
        url, body = request["url"], request["body"]
        tokens = account["secrets"]["auth_tokens"]
        return any(hmac.compare_digest(_signature(token, url, body), given) for token in tokens)

    def parse(self, *, request):
        try:
            told = json.loads(request["body"])
        except ValueError as error:
            raise crm_core.MalformedError("no news of a call") from error
        return {"kind": "call", "call": told["call"], "token": told["token"]}

    def write_script(self, *, script):
        return {"content_type": "application/json", "body": json.dumps(script)}

    def take_callbacks(self, *, now):
        return [request for line in self.made for request in self._news(line)]

    def _news(self, line):
        events = self._events(line)
        url = line["asked"]["callback"] or "carrier:news"
        for place in range(line["told"], len(events)):
            status, at = events[place]
            call = {"id": line["id"], "status": status, "sequence": place, "at": at.isoformat()}
            token = f"{line['id']}-{place}"
            told = {"account": line["account"]["name"], "call": call, "token": token}
            body = json.dumps(told).encode()
            secret = line["account"]["secrets"]["auth_tokens"][0]
            yield {"url": url, "headers": [("X-Signature", _signature(secret, url, body))], "body": body}
        line["told"] = len(events)

    def _of(self, account):
        return [line for line in self.made if line["account"]["name"] == account["name"]]

    def _line(self, account, call):
        for line in self._of(account):
            if line["id"] == call:
                return line
        raise crm_core.NotFoundError("no such call")

    def _events(self, line):
        over = line["hung_up"] or self.now()
        events = [(status, line["at"] + timedelta(seconds=after)) for status, after in COURSE]
        events = [(status, at) for status, at in events if at <= over]
        if line["hung_up"]:
            answered = any(status == "in_progress" for status, _ in events)
            events.append(("completed" if answered else "canceled", over))
        return events

    def _call(self, line):
        *steps, (status, at) = self._events(line)
        known = {one: since for one, since in [*steps, (status, at)]}
        begun, ended = known.get("in_progress"), known.get("completed")
        return {
            "id": line["id"],
            "status": status,
            "sequence": len(steps),
            "at": at,
            "steps": [
                {"status": one, "sequence": place, "at": since.isoformat()}
                for place, (one, since) in enumerate(steps)
            ],
            "duration_seconds": int((ended - begun).total_seconds()) if begun and ended else None,
        }


def _signature(token, url, body):
    return hmac.new(token.encode(), url.encode() + b"\n" + body, hashlib.sha256).hexdigest()


class Awaited:
    """The same where each method that may be awaited is."""

    def __init__(self):
        self.plain = Plain()

    def __getattr__(self, name):
        return getattr(self.plain, name)

    async def start(self, **given):
        await asyncio.sleep(0)
        return self.plain.start(**given)

    async def find(self, **given):
        await asyncio.sleep(0)
        return self.plain.find(**given)

    async def fetch(self, **given):
        await asyncio.sleep(0)
        return self.plain.fetch(**given)

    async def hang_up(self, **given):
        await asyncio.sleep(0)
        return self.plain.hang_up(**given)

    async def recordings(self, **given):
        await asyncio.sleep(0)
        return self.plain.recordings(**given)

    async def audio(self, **given):
        whole = self.plain.audio(**given)

        async def chunks():
            for chunk in whole["chunks"]:
                await asyncio.sleep(0)
                yield chunk

        return {**whole, "chunks": chunks()}

    async def delete_recording(self, **given):
        await asyncio.sleep(0)
        return self.plain.delete_recording(**given)

    async def pass_time(self, **given):
        await asyncio.sleep(0)
        return self.plain.pass_time(**given)
