"""Ports as a host writes them, held against mypy --strict and pyright; never run."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone

from crm_core import AsyncCrm, Crm, Notification, User
from crm_core.ports import (
    CarrierAccount,
    CarrierAudio,
    CarrierCall,
    CarrierNews,
    CarrierRecording,
    CarrierReply,
    CarrierRequest,
    Chunks,
    GivenRequest,
    OutgoingCall,
    ScriptStep,
    SimulatedTelephony,
    SoughtCall,
    TelephonyCallbacks,
    TelephonyCheck,
    TelephonyRecordings,
)


class Plain:
    def check(self, *, account: CarrierAccount) -> None:
        print(account["secrets"]["auth_tokens"][0], account["options"].get("edge"))

    def start(self, *, account: CarrierAccount, call: OutgoingCall) -> CarrierCall:
        print(call["to"], call["from"], call["callback"])
        return {"id": "C1", "status": "queued", "at": datetime.now(timezone.utc)}

    def find(self, *, account: CarrierAccount, sought: SoughtCall) -> list[CarrierCall]:
        print(sought["since"] <= sought["until"])
        return []

    def fetch(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        return {"id": call_id, "status": "ringing", "steps": [{"status": "queued"}]}

    def hang_up(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        return {"id": call_id, "status": "completed", "price": {"amount": "0.1", "currency": "USD"}}

    def recordings(self, *, account: CarrierAccount, call_id: str) -> list[CarrierRecording]:
        return [{"id": "R1", "status": "completed"}]

    def audio(self, *, account: CarrierAccount, recording_id: str) -> CarrierAudio:
        return {"content_type": "audio/basic", "chunks": b"", "bytes": 0}

    def delete_recording(self, *, account: CarrierAccount, recording_id: str) -> None: ...

    def account_of(self, *, request: GivenRequest) -> str | None:
        return request["url"]

    def verify(self, *, account: CarrierAccount, request: GivenRequest) -> bool:
        return dict(request["headers"])["x-signature"] == "1"

    def parse(self, *, request: GivenRequest) -> CarrierNews:
        return {"kind": "call", "call": {"id": "C1", "status": "busy"}}

    def write_script(self, *, script: list[ScriptStep]) -> CarrierReply:
        return {"body": " ".join(step["kind"] for step in script)}

    def take_callbacks(self, *, now: datetime) -> list[CarrierRequest]:
        return [{"url": "https://crm.example", "body": b"", "headers": [("x-signature", "1")]}]


class Awaited:
    async def start(self, *, account: CarrierAccount, call: OutgoingCall) -> CarrierCall:
        return {"id": "C1", "status": "queued"}

    async def find(self, *, account: CarrierAccount, sought: SoughtCall) -> list[CarrierCall]:
        return []

    async def fetch(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        return {"id": call_id, "status": "ringing"}

    async def hang_up(self, *, account: CarrierAccount, call_id: str) -> CarrierCall:
        return {"id": call_id, "status": "canceled"}


class Bus:
    async def publish(self, *, message: str) -> None: ...

    async def subscribe(self) -> AsyncIterator[str | None]:
        yield None


class PlainBlobs:
    def put(self, *, key: str, chunks: Chunks) -> None:
        print(sum(len(chunk) for chunk in chunks))

    def get(self, *, key: str, start: int, end: int | None) -> Iterator[bytes]:
        yield b""

    def delete(self, *, key: str) -> None: ...


class AwaitedBlobs:
    async def put(self, *, key: str, chunks: Chunks) -> None:
        async for chunk in chunks:
            print(len(chunk))

    async def get(self, *, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        yield b""

    async def delete(self, *, key: str) -> None: ...


class Clock:
    def now(self) -> datetime:
        return datetime.now(timezone.utc)


class Letters:
    async def send(self, *, notification: Notification, user: User) -> None:
        print(notification.title, user.email)


def all_of_it(carrier: Plain) -> None:
    check: TelephonyCheck = carrier
    recordings: TelephonyRecordings = carrier
    callbacks: TelephonyCallbacks = carrier
    simulated: SimulatedTelephony = carrier
    print(check, recordings, callbacks, simulated)


def blocking() -> None:
    Crm.open(
        "sqlite::memory:",
        telephony={"plain": Plain(), "awaited": Awaited()},
        event_bus=Bus(),
        blobs=PlainBlobs(),
        clock=Clock(),
        channels={"letter": Letters()},
        port_timeout=5,
        public_url="https://crm.example",
    )


async def awaited() -> None:
    await AsyncCrm.open("sqlite::memory:", telephony={"awaited": Awaited()}, blobs=AwaitedBlobs())
