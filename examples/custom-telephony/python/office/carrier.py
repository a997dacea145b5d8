"""The switchboard as a carrier of the CRM's calls: its words become the CRM's."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TypedDict

from crm_core import FieldError, InvalidError, MalformedError, NotFoundError
from crm_core.ports import (
    CallStatus,
    CallStep,
    CarrierAccount,
    CarrierAudio,
    CarrierCall,
    CarrierNews,
    CarrierRecording,
    CarrierReply,
    CarrierRequest,
    GivenRequest,
    OutgoingCall,
    ScriptStep,
    SoughtCall,
)

from .switchboard import Line, NoSuchLine, Switchboard

SIGNATURE = "x-switchboard-signature"
NOWHERE = "switchboard:report"
"""Where a line is reported that nobody wants to be told of."""

STATUS: dict[str, CallStatus] = {
    "dialled": "initiated",
    "ringing": "ringing",
    "answered": "in_progress",
    "ended": "completed",
    "given up": "canceled",
}


class Report(TypedDict):
    """What the switchboard tells of a line."""

    owner: str
    line: str
    place: int
    event: str
    at: str
    talked: int | None


class Carrier:
    """Calls over a switchboard. What is asked of it over the network is awaited; what is marked *at once* in the
    CRM's `docs/ports.md` is plain."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    def check(self, *, account: CarrierAccount) -> None:
        """Accounts are named as their owners are."""
        if not account["name"].isalpha():
            reason = "an owner's name has letters alone"
            raise InvalidError(reason, fields=(FieldError("name", "invalid_account", reason),))

    async def start(self, *, account: CarrierAccount, call: OutgoingCall) -> CarrierCall:
        """Dials. What the switchboard raises is let pass: the CRM then looks for the call with `find`, and nobody
        is called twice."""
        line = await self._switchboard.dial(
            account["name"],
            account["secrets"]["auth_tokens"][0],
            caller=call["from"],
            called=call["to"],
            taped=call["record"],
            report_to=call["callback"] or NOWHERE,
        )
        return self._call(line)

    async def find(self, *, account: CarrierAccount, sought: SoughtCall) -> list[CarrierCall]:
        """The calls that may be the one that is looked for."""
        return [
            self._call(line)
            for line in await self._switchboard.lines(account["name"])
            if (line.caller, line.called) == (sought["from"], sought["to"])
            and sought["since"] <= line.dialled_at <= sought["until"]
        ]

    async def fetch(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        """The call as it is now."""
        return self._call(await self._line(account, call_id))

    async def hang_up(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        """Ends the call."""
        line = await self._line(account, call_id)
        await self._switchboard.hang_up(line)
        return self._call(line)

    async def recordings(self, *, account: CarrierAccount, call_id: str) -> list[CarrierRecording]:
        """The tape of the call, which has the number of its line."""
        line = await self._line(account, call_id)
        talked = line.talked(self._switchboard.now())
        if talked is None or not line.taped:
            return []
        return [{"id": call_id, "status": "completed", "duration_seconds": talked, "channels": 1}]

    async def audio(self, *, account: CarrierAccount, recording_id: str) -> CarrierAudio:
        """What is on the tape, second by second."""
        if not await self.recordings(account=account, call_id=recording_id):
            raise NotFoundError("there is no such tape")
        tape = await self._switchboard.tape(await self._line(account, recording_id))

        async def seconds() -> AsyncIterator[bytes]:
            for at in range(0, len(tape), 8000):
                yield tape[at : at + 8000]

        return {"content_type": "audio/basic", "chunks": seconds(), "bytes": len(tape)}

    async def delete_recording(self, *, account: CarrierAccount, recording_id: str) -> None:
        """Erases the tape. Where there is none, nothing is left to do."""
        try:
            await self._switchboard.erase_tape(await self._line(account, recording_id))
        except NotFoundError:
            pass

    def account_of(self, *, request: GivenRequest) -> str | None:
        """Whose the reported line is."""
        return _read(request["body"])["owner"]

    def verify(self, *, account: CarrierAccount, request: GivenRequest) -> bool:
        """Whether one of the owner's passwords has signed the report."""
        given = next((value for name, value in request["headers"] if name == SIGNATURE), "")
        return any(
            hmac.compare_digest(_signature(password, request["url"], request["body"]), given)
            for password in account["secrets"]["auth_tokens"]
        )

    def parse(self, *, request: GivenRequest) -> CarrierNews:
        """What is reported of the line."""
        report = _read(request["body"])
        call: CarrierCall = {
            "id": report["line"],
            "status": STATUS[report["event"]],
            "sequence": report["place"],
            "at": report["at"],
            "duration_seconds": report["talked"],
        }
        return {"kind": "call", "call": call, "token": f"{report['line']}-{report['place']}"}

    def write_script(self, *, script: list[ScriptStep]) -> CarrierReply:
        """The switchboard takes no calls from outside."""
        return {}

    def take_callbacks(self, *, now: datetime) -> list[CarrierRequest]:
        """The reports, as the switchboard would send them if it could reach us."""
        requests: list[CarrierRequest] = []
        for line, place, event, at in self._switchboard.reports(now):
            report: Report = {
                "owner": line.owner,
                "line": str(line.number),
                "place": place,
                "event": event,
                "at": at.isoformat(),
                "talked": line.talked(at),
            }
            body = json.dumps(report).encode()
            signature = _signature(line.password, line.report_to, body)
            requests.append({"url": line.report_to, "headers": [(SIGNATURE, signature)], "body": body})
        return requests

    async def _line(self, account: CarrierAccount, call_id: str) -> Line:
        try:
            return await self._switchboard.line(account["name"], int(call_id))
        except (NoSuchLine, ValueError) as error:
            raise NotFoundError("there is no such line") from error

    def _call(self, line: Line) -> CarrierCall:
        now = self._switchboard.now()
        *earlier, (event, at) = line.events(now)
        steps: list[CallStep] = [
            {"status": STATUS[event], "sequence": place, "at": at}
            for place, (event, at) in enumerate(earlier)
        ]
        return {
            "id": str(line.number),
            "status": STATUS[event],
            "sequence": len(steps),
            "at": at,
            "steps": steps,
            "duration_seconds": line.talked(now),
        }


def _read(body: bytes) -> Report:
    try:
        report: Report = json.loads(body)
    except ValueError as error:
        raise MalformedError("this is no report of the switchboard's") from error
    return report


def _signature(password: str, url: str, body: bytes) -> str:
    """Of the address and the body: neither can be altered."""
    return hmac.new(password.encode(), url.encode() + b"\n" + body, hashlib.sha256).hexdigest()
