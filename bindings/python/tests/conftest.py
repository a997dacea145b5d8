from collections.abc import Iterator
from pathlib import Path

import pytest

import crm_core


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[crm_core.Crm]:
    with crm_core.Crm.open(f"sqlite://{tmp_path / 'crm.db'}") as opened:
        yield opened


@pytest.fixture
def session(crm: crm_core.Crm) -> crm_core.Session:
    made = crm.tenants.create("Acme", "DE", "olga@acme.example")
    return crm.session(made.tenant.id, made.owner.id)
