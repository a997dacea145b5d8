"""Ports that a host writes itself: what the objects given to `Crm.open` and `AsyncCrm.open` have to be.

Nothing has to be inherited: an object that has the methods will do. Each method may be `async def` or plain but
for those marked *at once*, which must be plain. Arguments are given by keyword. The page `docs/ports.md` says
what each method does, answers and raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, TypeVar, Union

from ._surface import Notification, User

if TYPE_CHECKING:
    from typing_extensions import NotRequired, TypeAlias

T = TypeVar("T")
Answer: TypeAlias = Union[T, Awaitable[T]]
"""What a method answers that may be `async def` or plain."""

Time: TypeAlias = Union[datetime, str]
"""A time with its zone; text as in RFC 3339."""

Pieces: TypeAlias = Union[AsyncIterable[bytes], Iterator[bytes], bytes]
"""Bytes, piece by piece."""

CallStatus: TypeAlias = Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
]


class CarrierApiKey(TypedDict):
    """An API key of a carrier."""

    id: str
    secret: str


class CarrierSecrets(TypedDict):
    """What proves that an account is ours."""

    auth_tokens: list[str]
    """The first is used, each is good for signatures."""
    api_key: CarrierApiKey | None


class CarrierAccount(TypedDict):
    """An account with a carrier."""

    name: str
    secrets: CarrierSecrets
    options: dict[str, str]


ScriptStep = TypedDict(
    "ScriptStep",
    {
        "kind": Literal["say", "connect", "pause", "reject"],
        "text": "NotRequired[str]",
        "language": "NotRequired[str | None]",
        "to": "NotRequired[str]",
        "caller_id": "NotRequired[str | None]",
        "record": "NotRequired[bool]",
        "callback": "NotRequired[str | None]",
        "seconds": "NotRequired[int]",
    },
)
"""A step of what happens in a call: `say` has `text` and `language`, `pause` has `seconds`."""

OutgoingCall = TypedDict(
    "OutgoingCall",
    {
        "to": str,
        "from": str,
        "record": bool,
        "detect_machine": bool,
        "ring_for_seconds": int,
        "script": list[ScriptStep],
        "callback": "str | None",
    },
)
"""A call that a carrier shall make; `callback` is where to tell of it."""

SoughtCall = TypedDict("SoughtCall", {"to": str, "from": str, "since": datetime, "until": datetime})
"""A call that is looked for because the answer to its making was lost."""


class GivenRequest(TypedDict):
    """A request of the carrier's, as it came."""

    url: str
    headers: list[list[str]]
    """Pairs, with names in lower case."""
    body: bytes


class CallStep(TypedDict):
    """A step of a call."""

    status: CallStatus
    sequence: NotRequired[int | None]
    at: NotRequired[Time | None]


class Price(TypedDict):
    """What a call costs."""

    amount: str
    currency: str


class CallFailure(TypedDict):
    """Why a call failed."""

    code: str
    message: str


class CarrierCall(TypedDict):
    """A call as the carrier has it."""

    id: str
    status: CallStatus
    sequence: NotRequired[int | None]
    at: NotRequired[Time | None]
    steps: NotRequired[list[CallStep]]
    answered_at: NotRequired[Time | None]
    ended_at: NotRequired[Time | None]
    duration_seconds: NotRequired[int | None]
    answered_by: NotRequired[Literal["human", "machine", "fax", "unknown"] | None]
    price: NotRequired[Price | None]
    failure: NotRequired[CallFailure | None]


class CarrierRecording(TypedDict):
    """A recording as the carrier has it."""

    id: str
    status: Literal["in_progress", "absent", "failed", "completed"]
    duration_seconds: NotRequired[int | None]
    channels: NotRequired[int | None]


class CarrierAudio(TypedDict):
    """The audio of a recording."""

    content_type: str
    chunks: Pieces
    bytes: NotRequired[int | None]


CarrierNews = TypedDict(
    "CarrierNews",
    {
        "kind": Literal["incoming", "call", "recording", "other"],
        "token": "NotRequired[str | None]",
        "call": "NotRequired[CarrierCall | None]",
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
        "call_id": "NotRequired[str | None]",
        "recording": "NotRequired[CarrierRecording | None]",
    },
)
"""What a carrier tells."""


class CarrierReply(TypedDict):
    """What a carrier is answered when a call comes in."""

    content_type: NotRequired[str | None]
    body: NotRequired[str]


class CarrierRequest(TypedDict):
    """A request that a carrier would have sent."""

    url: str
    body: bytes | str
    headers: NotRequired[list[tuple[str, str]]]


class Telephony(Protocol):
    """A carrier of calls. `TelephonyCheck`, `TelephonyRecordings`, `TelephonyCallbacks` and
    `SimulatedTelephony` are what it can have beside that."""

    def start(self, *, account: CarrierAccount, call: OutgoingCall) -> Answer[CarrierCall]:
        """Asks for a call, once."""
        ...

    def find(self, *, account: CarrierAccount, sought: SoughtCall) -> Answer[list[CarrierCall]]:
        """The calls that may be the one that is looked for, the earliest first."""
        ...

    def fetch(self, *, account: CarrierAccount, call_id: str) -> Answer[CarrierCall]:
        """The call as it is now."""
        ...

    def hang_up(self, *, account: CarrierAccount, call_id: str) -> Answer[CarrierCall]:
        """Ends the call."""
        ...


class TelephonyCheck(Protocol):
    """A carrier that looks at accounts."""

    def check(self, *, account: CarrierAccount) -> None:
        """At once: whether an account is well-formed."""
        ...


class TelephonyRecordings(Protocol):
    """A carrier that records."""

    def recordings(self, *, account: CarrierAccount, call_id: str) -> Answer[list[CarrierRecording]]:
        """The recordings of a call."""
        ...

    def audio(self, *, account: CarrierAccount, recording_id: str) -> Answer[CarrierAudio]:
        """The audio of a recording."""
        ...

    def delete_recording(self, *, account: CarrierAccount, recording_id: str) -> Answer[None]:
        """Deletes a recording."""
        ...


class TelephonyCallbacks(Protocol):
    """A carrier that calls us: all of these methods, or none."""

    def account_of(self, *, request: GivenRequest) -> str | None:
        """At once: whose account the request says it is for."""
        ...

    def verify(self, *, account: CarrierAccount, request: GivenRequest) -> bool:
        """At once: whether the request is the carrier's."""
        ...

    def parse(self, *, request: GivenRequest) -> CarrierNews:
        """At once: what the request says."""
        ...

    def write_script(self, *, script: list[ScriptStep]) -> CarrierReply:
        """At once: what the carrier is answered when a call comes in."""
        ...


class SimulatedTelephony(Protocol):
    """A carrier that cannot call us."""

    def take_callbacks(self, *, now: datetime) -> list[CarrierRequest]:
        """At once: what it has to tell by now, each request once."""
        ...


class EventBus(Protocol):
    """A bus between nodes over one database."""

    def publish(self, *, message: str) -> Answer[None]:
        """Sends a text to every node that listens."""
        ...

    def subscribe(
        self,
    ) -> AsyncIterator[str | None] | Iterator[str | None] | Awaitable[AsyncIterator[str | None]]:
        """What all nodes publish; None first, and whenever messages may have been missed."""
        ...


class Chunks(Protocol):
    """Bytes that the CRM hands out, to be read once: by `async for`, or by `for` in a plain method."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def __iter__(self) -> Iterator[bytes]: ...


class Blobs(Protocol):
    """A place for recordings."""

    def put(self, *, key: str, chunks: Chunks) -> Answer[None]:
        """Keeps the bytes, once they are read to the end."""
        ...

    def get(self, *, key: str, start: int, end: int | None) -> Pieces | Awaitable[Pieces]:
        """The bytes from `start` up to `end`, which is not among them."""
        ...

    def delete(self, *, key: str) -> Answer[None]:
        """Deletes a blob."""
        ...


class BlobsCheck(Protocol):
    """A place for recordings that says whether it can be reached."""

    def check(self) -> Answer[None]:
        """Raises where it cannot be reached."""
        ...


class Clock(Protocol):
    """A clock."""

    def now(self) -> Time:
        """At once: the present moment."""
        ...


class NotificationChannel(Protocol):
    """A channel of notifications."""

    def send(self, *, notification: Notification, user: User) -> Answer[None]:
        """Sends a notification to a user."""
        ...
