"""The scenarios of `parity/`, taken through both APIs; `parity/README.md` says what they are."""

import asyncio
import inspect
import json
from pathlib import Path

import crm_core
import pytest
from crm_core import AsyncCrm, CrmError

PARITY = Path(__file__).parents[3] / "parity"
SCENARIOS = [
    scenario for file in sorted(PARITY.glob("*.json")) for scenario in json.loads(file.read_text())
]
ANY = "$any"


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def filled(value, kept):
    if isinstance(value, str) and value.startswith("$") and value != ANY:
        return kept[value[1:]]
    if isinstance(value, list):
        return [filled(item, kept) for item in value]
    if isinstance(value, dict):
        return {name: filled(field, kept) for name, field in value.items()}
    return value


def held(value, expected, path=""):
    """What of the value is not as expected, or None."""
    if expected == ANY and value is not None:
        return None
    if isinstance(value, dict) and isinstance(expected, dict):
        wrong = (held(value.get(name), field, f"{path}.{name}") for name, field in expected.items())
        return next(filter(None, wrong), None)
    if isinstance(value, list) and isinstance(expected, list) and len(value) == len(expected):
        both = enumerate(zip(value, expected))
        wrong = (held(item, field, f"{path}[{at}]") for at, (item, field) in both)
        return next(filter(None, wrong), None)
    return None if value == expected else f"at {path}: {value!r}, not {expected!r}"


async def settled(value):
    return await value if inspect.isawaitable(value) else value


class Taken:
    """A scenario on its way, through a Crm or an AsyncCrm."""

    def __init__(self, crm):
        self.crm = crm
        self.kept = {}

    async def call(self, name, given, by):
        namespace, verb = name.split(".")
        of = self.crm if hasattr(self.crm, namespace) else await settled(self.crm.authenticate(by))
        method = getattr(getattr(of, namespace), verb)
        names = {name: name for name in given} | {"from": "from_"}
        keywords = {names[name]: value for name, value in given.items()}
        try:
            inspect.signature(method).bind(**keywords)
        except TypeError:
            # What Python refuses by itself is for the core to refuse by its name.
            return plain(await settled(of.call(name, given)))
        return plain(await settled(method(**keywords)))

    async def begin(self):
        came = await self.call(
            "identity.register",
            {
                "company_name": "Acme",
                "full_name": "Olive Owner",
                "email": "olive@example.com",
                "password": "nine herons over the weir",
                "default_region": "DE",
            },
            "",
        )
        self.kept = {
            "owner": came["access_token"],
            "owner_id": came["user"]["id"],
            "tenant_id": came["tenant"]["id"],
        }

    async def events(self, by, count):
        session = await settled(self.crm.authenticate(by))
        followed = await settled(session.events.subscribe("start"))
        names = []
        while len(names) < count:
            names.append((await settled(followed.next())).name)
        return names

    async def step(self, step):
        by = filled(step.get("as", "$owner"), self.kept)
        if "events" in step:
            wrong = held(await self.events(by, len(step["events"])), step["events"])
            assert wrong is None, wrong
            return
        given = filled(step.get("with", {}), self.kept)
        if "fails" in step:
            with pytest.raises(CrmError) as raised:
                await self.call(step["call"], given, by)
            error = raised.value
            told = {
                "code": error.code,
                "fields": [{"field": it.field, "code": it.code} for it in error.fields],
                "existing_id": error.existing_id and str(error.existing_id),
            }
            wrong = held(told, filled(step["fails"], self.kept))
            assert wrong is None, wrong
            return
        reply = await self.call(step["call"], given, by)
        wrong = held(reply, filled(step.get("gives", ANY if reply else reply), self.kept))
        assert wrong is None, wrong
        for name, path in step.get("keep", {}).items():
            value = reply
            for part in path.split("."):
                value = value[part]
            assert value is not None, path
            self.kept[name] = value


async def take(crm, scenario):
    taken = Taken(crm)
    await taken.begin()
    for at, step in enumerate(scenario["steps"], 1):
        try:
            await taken.step(step)
        except Exception as error:
            raise AssertionError(f"step {at}, {step.get('call', 'events')}: {error}") from error


def test_the_scenarios_are_there():
    assert len(SCENARIOS) >= 14


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_blocking(scenario):
    with crm_core.Crm.open("sqlite::memory:", registration="open") as crm:
        asyncio.run(take(crm, scenario))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_asyncio(scenario):
    async def run():
        async with await AsyncCrm.open("sqlite::memory:", registration="open") as crm:
            await take(crm, scenario)

    asyncio.run(run())


def test_a_step_that_comes_out_otherwise_is_told():
    wrong = {"steps": [{"call": "contacts.create", "with": {"first_name": "Ada"}, "gives": {"version": 2}}]}
    with crm_core.Crm.open("sqlite::memory:", registration="open") as crm:
        with pytest.raises(AssertionError, match=r"step 1, contacts.create: at .version: 1, not 2"):
            asyncio.run(take(crm, wrong))
