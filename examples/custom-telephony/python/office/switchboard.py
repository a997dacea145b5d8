"""The telephone system of an office, in its own words. It stands for whatever you have: its library, or a client of its
API. It cannot call us, so its news are fetched."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

COURSE = (("dialled", 0), ("ringing", 2), ("answered", 5), ("ended", 15))
"""What happens on a line, and after how many seconds: each is answered, and talks for ten seconds."""


class NoSuchLine(LookupError):
    """There is no line of this number."""


@dataclass
class Line:
    """A line, from one number to another."""

    number: int
    owner: str
    password: str
    """The owner's, which reports are signed with."""
    caller: str
    called: str
    taped: bool
    report_to: str
    dialled_at: datetime
    hung_up_at: datetime | None = None
    reported: int = 0

    def events(self, now: datetime) -> list[tuple[str, datetime]]:
        """What has happened by now, and when."""
        end = self.hung_up_at or now
        course = [(event, self.dialled_at + timedelta(seconds=seconds)) for event, seconds in COURSE]
        events = [(event, at) for event, at in course if at <= end]
        if self.hung_up_at:
            answered = any(event == "answered" for event, _ in events)
            events.append(("ended" if answered else "given up", self.hung_up_at))
        return events

    def is_over(self, now: datetime) -> bool:
        """Whether nobody is on the line any more."""
        return self.events(now)[-1][0] in ("ended", "given up")

    def talked(self, now: datetime) -> int | None:
        """For how many seconds they have talked, once it is over."""
        known = dict(self.events(now))
        if "answered" not in known or "ended" not in known:
            return None
        return int((known["ended"] - known["answered"]).total_seconds())


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Switchboard:
    """The telephone system."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self.now = now
        self._lines: list[Line] = []

    async def dial(
        self, owner: str, password: str, caller: str, called: str, *, taped: bool, report_to: str
    ) -> Line:
        """Dials."""
        number = len(self._lines) + 1
        line = Line(number, owner, password, caller, called, taped, report_to, self.now())
        self._lines.append(line)
        return line

    async def lines(self, owner: str) -> list[Line]:
        """The owner's lines."""
        return [line for line in self._lines if line.owner == owner]

    async def line(self, owner: str, number: int) -> Line:
        """One of them. NoSuchLine."""
        for line in self._lines:
            if (line.owner, line.number) == (owner, number):
                return line
        raise NoSuchLine(number)

    async def hang_up(self, line: Line) -> None:
        """Hangs up, where somebody still is on the line."""
        if not line.is_over(self.now()):
            line.hung_up_at = self.now()

    async def tape(self, line: Line) -> bytes:
        """What was said: a second of silence for each second, 8,000 samples of mu-law."""
        return b"\xff" * 8000 * (line.talked(self.now()) or 0)

    async def erase_tape(self, line: Line) -> None:
        """Throws the tape away."""
        line.taped = False

    def reports(self, now: datetime) -> Iterator[tuple[Line, int, str, datetime]]:
        """What has happened and was not reported yet: the line, the event's place on it, the event, and when."""
        for line in self._lines:
            for place, (event, at) in enumerate(line.events(now)):
                if place >= line.reported:
                    line.reported = place + 1
                    yield line, place, event, at
