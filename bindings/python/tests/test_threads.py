"""Threads, signals, panics, memory."""

import gc
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import crm_core
from crm_core import _native


def test_64_threads_at_once(session):
    def work(n):
        made = session.contacts.create(first_name=f"c{n}")
        return all(session.contacts.get(made.id) == made for _ in range(20))

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(work, range(256)))
    assert len(list(session.contacts.iterate(limit=200))) == 256


def test_two_tenants_see_nothing_of_each_other(crm):
    sessions = []
    for name in ("Acme", "Beta"):
        made = crm.tenants.create(name, "DE", f"olga@{name.lower()}.example")
        sessions.append(crm.session(made.tenant.id, made.owner.id))

    def work(n):
        own, other = sessions[n % 2], sessions[(n + 1) % 2]
        made = own.contacts.create(first_name=f"{n % 2}")
        with pytest.raises(crm_core.NotFoundError):
            other.contacts.get(made.id)
        assert {one.first_name for one in own.contacts.list(limit=200).items} == {f"{n % 2}"}

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(200)))


def test_one_reply_is_read_by_many_threads(session):
    made = session.contacts.create(first_name="Ada", tags=["a"], emails=[{"address": "a@b.example"}])
    for _ in range(50):
        got = session.contacts.get(made.id)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: got.emails[0].address, range(8))) == {"a@b.example"}


def test_other_threads_run_while_one_waits():
    ran = threading.Event()
    thread = threading.Thread(target=ran.set)
    waiting = threading.Thread(target=lambda: _native.sleep_now(0.5).wait())
    waiting.start()
    thread.start()
    assert ran.wait(0.4)
    waiting.join()


def test_an_interrupt_ends_a_long_call():
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _native.sleep_now(30).wait()
    assert time.monotonic() - begun < 5


def test_a_panic_is_an_exception(session):
    with pytest.raises(crm_core.InternalError) as raised:
        _native.panic_now().wait()
    assert "as was asked" in str(raised.value.__cause__)
    assert session.contacts.list().items == ()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow(session):
    calls = int(os.environ.get("CRM_TEST_CALLS", "100000"))
    ada = session.contacts.create(first_name="Ada", tags=["a"], emails=[{"address": "a@b.example"}])

    def work(times):
        for n in range(times):
            got = session.contacts.get(ada.id)
            if n % 10 == 0:
                _ = got.emails
            if n % 100 == 0:
                with pytest.raises(crm_core.NotFoundError):
                    session.contacts.get(session.account.me().user.id)
        gc.collect()

    work(calls // 4)
    before = resident()
    work(calls)
    grown = (resident() - before) / before
    assert grown < 0.01, f"{grown:.2%} after {calls} calls"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_answer_arrives_while_a_worker_runs(crm, session):
    with crm.start_worker() as worker:
        assert session.contacts.create(first_name="Ada").version == 1
        assert worker.stop()
    crm.check()
