"""Forks, ends of the interpreter, sub-interpreters, logging: each in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

OPEN = """
import asyncio, logging, multiprocessing, os, sys, threading, time
import crm_core
from crm_core import _native
def opened(path):
    crm = crm_core.Crm.open(path)
    made = crm.tenants.create("Acme", "DE", f"olga{os.getpid()}@acme.example")
    return crm, crm.session(made.tenant.id, made.owner.id)
"""


def run(code, *, cwd, ends=0):
    program = OPEN + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ends, done.stderr
    return done.stdout.split("\n")[:-1], done.stderr


def test_a_fork_is_told_and_a_new_one_works(tmp_path):
    out, _ = run("""
        crm, session = opened("sqlite://parent.db")
        session.contacts.create(first_name="Ada")
        child = os.fork()
        if child == 0:
            for call in (session.contacts.list, crm.tenants.list):
                try:
                    call()
                except crm_core.ConflictError as error:
                    print("child:", error.message, flush=True)
            del crm, session
            _, own = opened("sqlite://child.db")
            own.contacts.create(first_name="Eve")
            print("child has", len(own.contacts.list()), flush=True)
            asyncio.run(asyncio.sleep(0))
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        print("child ended", status, "parent has", len(session.contacts.list()))
    """, cwd=tmp_path)
    assert [line for line in out if "before the process was forked" in line] == out[:2]
    assert out[2:] == ["child has 1", "child ended 0 parent has 1"]


def test_multiprocessing_by_fork(tmp_path):
    out, _ = run("""
        def work(n):
            crm, session = opened(f"sqlite://{n}.db")
            session.contacts.create(first_name="Ada")
            return len(session.contacts.list())
        crm, session = opened("sqlite://parent.db")
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(sum(pool.map(work, range(6))))
        session.contacts.create(first_name="Ada")
    """, cwd=tmp_path)
    assert out == ["6"]


WORK = {
    "threads": """
        crm, session = opened("sqlite::memory:")
        worker = crm.start_worker()
        def work():
            while True:
                session.contacts.create(first_name="Ada")
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.1)
    """,
    "asyncio": """
        async def main():
            crm = await crm_core.AsyncCrm.open("sqlite::memory:")
            made = await crm.tenants.create("Acme", "DE", "olga@acme.example")
            session = await crm.session(made.tenant.id, made.owner.id)
            events = await session.events.subscribe()
            asyncio.ensure_future(events.next())
            crm.start_worker()
            for _ in range(200):
                asyncio.ensure_future(session.contacts.create(first_name="Ada"))
            await asyncio.sleep(0.01)
        asyncio.run(main())
    """,
    "a long call": """
        threading.Thread(target=lambda: _native.sleep_now(60).wait(), daemon=True).start()
        time.sleep(0.2)
    """,
    "a log": """
        crm_core.log_to_python(logging.DEBUG)
        logging.basicConfig(level=logging.DEBUG)
        crm, session = opened("sqlite::memory:")
    """,
}


@pytest.mark.parametrize("work", WORK)
def test_the_interpreter_ends_with_work_in_flight(tmp_path, work):
    for _ in range(5):
        _, said = run(WORK[work], cwd=tmp_path)
        assert "panicked" not in said and "Fatal" not in said, said


def test_sub_interpreters_are_refused(tmp_path):
    out, _ = run("""
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        own = interpreters.create()
        try:
            failed = interpreters.run_string(own, "import crm_core")
            print(failed)
        except Exception as error:
            print(type(error).__name__, error)
    """, cwd=tmp_path)
    assert "ImportError" in out[0] and "subinterpreter" in out[0], out


def test_the_log_goes_to_python(tmp_path):
    _, said = run("""
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")
        crm_core.log_to_python(logging.INFO)
        crm, session = opened("sqlite::memory:")
        for _ in range(100):
            if _native.sleep_now(0.01).wait(): pass
    """, cwd=tmp_path)
    assert "INFO crm_core.crm_core.crm the operator works" in said, said
    assert "DEBUG crm_core" not in said


def test_nothing_is_set_up_at_import(tmp_path):
    out, _ = run("print(threading.active_count(), len(os.listdir('/proc/self/task')))", cwd=tmp_path)
    assert out == ["1 1"]
