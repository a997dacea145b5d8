"""The carrier proven, and a call over it."""

import asyncio
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from crm_core import AsyncCrm, _native
from office.carrier import Carrier
from office.main import call_ada
from office.switchboard import Switchboard

START = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)


class Proven(Carrier):
    """A carrier whose time passes when it is told to, as the suite asks for."""

    def __init__(self) -> None:
        self._moment = START
        super().__init__(Switchboard(self.now))

    def now(self) -> datetime:
        return self._moment

    def pass_time(self, *, seconds: int) -> None:
        self._moment += timedelta(seconds=seconds)


@pytest.mark.skipif(
    not hasattr(_native, "prove_telephony"),
    reason="the package is not built with --features conformance",
)
def test_it_does_what_every_carrier_must() -> None:
    proofs = _native.prove_telephony(Proven).wait()
    assert len(proofs) >= 10
    assert [proof for proof in proofs if proof[1] is not None] == []


class Quick:
    """A clock of which four seconds are one of the machine's."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=4 * (time.monotonic() - self._begun))


def test_a_call_is_followed_to_its_end(tmp_path: Path) -> None:
    said: list[str] = []

    async def main() -> None:
        clock = Quick()
        carrier = Carrier(Switchboard(clock.now))
        async with await AsyncCrm.open(
            f"sqlite://{tmp_path / 'crm.db'}", telephony={"switchboard": carrier}, clock=clock
        ) as crm:
            await call_ada(crm, said.append)

    asyncio.run(main())
    assert said[-3:] == [
        "completed",
        "on the timeline: call completed",
        "on the timeline: contact_created",
    ]
    course = ["queued", "initiated", "ringing", "in_progress", "completed"]
    assert said[:-2] == [status for status in course if status in said]
