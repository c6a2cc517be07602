"""What SQLite and PostgreSQL have in common: the same records, the same upgrade, the same errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from agentic_spliceai.records.database import Database
from agentic_spliceai.records.errors import RecordError, SchemaError
from agentic_spliceai.records.maintenance import check, current, upgrade
from agentic_spliceai.records.migrations import BASELINE, HEAD
from agentic_spliceai.records.models import NewStep, RunStatus, StepStatus
from agentic_spliceai.records.schema import configuration
from agentic_spliceai.records.store import RecordStore
from tests.records.conftest import POSTGRES
from tests.records.test_store import new_run
from tests.records.toy import NOON

STEP = NewStep(node="score", tool="score", attempt=1, started_at=NOON, seconds=0, status=StepStatus.SUCCEEDED)


@pytest.fixture
def store(database_url: str) -> Iterator[RecordStore]:
    opened = RecordStore(database_url)
    yield opened
    opened.close()


def test_a_run_comes_back_and_belongs_together(store: RecordStore, database_url: str) -> None:
    east = timezone(timedelta(hours=2))
    store.start_run(new_run(started_at=datetime(2026, 3, 1, 14, tzinfo=east)))
    store.add_step("a1b2c3", STEP)
    store.finish_run("a1b2c3", RunStatus.SUCCEEDED)
    run = store.get_run("a1")
    assert (run.started_at, run.status, run.steps) == (NOON, RunStatus.SUCCEEDED, (STEP,))
    with pytest.raises(RecordError, match="refused a row that belongs to no run"):
        store.add_step("nobody", STEP)
    assert check(database_url) == ()
    assert current(database_url).revision == HEAD


def test_a_database_without_a_revision_is_upgraded_with_its_data(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        command.upgrade(configuration(connection), BASELINE)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(
            text(
                "INSERT INTO run VALUES ('old', 'interpret_variant', 'x', '0.1.0', '{}', 'succeeded', "
                "'2026-03-01 12:00:00', NULL, NULL, '{}', 'a-machine', 7, '')"
            )
        )
        connection.commit()
    engine.dispose()
    assert current(database_url).revision == BASELINE
    store = RecordStore(database_url)
    run = store.get_run("old")
    assert (run.started_at, run.status, run.attempts) == (NOON, RunStatus.SUCCEEDED, 1)
    store.close()
    assert check(database_url) == ()


def test_a_later_revision_is_left_alone(store: RecordStore, database_url: str) -> None:
    upgrade(database_url)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
        connection.commit()
    engine.dispose()
    with pytest.raises(SchemaError, match="revision 0099"):
        store.list_runs()


_STARTER = """
import sys
from agentic_spliceai.records.store import RecordStore
print("ready", flush=True)
sys.stdin.readline()
store = RecordStore(sys.argv[1])
print(store.jobs.create(key="k", name="x", backend="local", spec={}).id, flush=True)
store.close()
"""


def test_processes_that_start_at_once_share_a_fresh_database(database_url: str) -> None:
    order = [sys.executable, "-c", _STARTER, database_url]
    starters = [subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    said = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert len(said) == 1
    assert "" not in said


_KILLED = """
import os, signal, sys
from sqlalchemy import text
from agentic_spliceai.records.store import RecordStore
store = RecordStore(sys.argv[1])
job = store.jobs.create(key="k", name="train", backend="local", spec={})
with store.database.writing() as session:
    session.execute(text("UPDATE job SET name = 'half'"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_half_done(database_url: str) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, database_url], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    store = RecordStore(database_url)
    (job,) = store.jobs.list()
    assert (job.name, job.state) == ("train", "created")
    assert store.jobs.set_state(job.id, "running").state == "running"
    store.close()
    assert check(database_url) == ()


def test_half_of_a_change_is_none(database_url: str) -> None:
    store = RecordStore(database_url)
    job = store.jobs.create(key="k", name="train", backend="local", spec={})

    def half() -> None:
        with store.database.writing() as session:
            session.execute(text("UPDATE job SET name = 'changed'"))
            raise OSError("the power went")

    with pytest.raises(RecordError, match="the power went"):
        half()
    assert store.jobs.get(job.id).name == "train"
    store.jobs.set_state(job.id, "running")  # and nothing stays locked
    store.close()


def test_postgresql_is_tried_too() -> None:
    """Every test that takes `database_url` runs on it where one is named."""
    if not os.environ.get(POSTGRES):
        pytest.skip(f"{POSTGRES} names no PostgreSQL server: postgresql+psycopg://user@127.0.0.1:5432/postgres")
    assert current(os.environ[POSTGRES]).location.startswith("postgresql")


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("psycopg")
    store = RecordStore("postgresql://user:secret@127.0.0.1:1/records?connect_timeout=2")
    with pytest.raises(RecordError, match="cannot be used") as caught:
        store.list_runs()
    assert "secret" not in str(caught.value)


def test_only_databases_that_were_tried_are_taken(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="records cannot be kept in mysql") as caught:
        Database("mysql+pymysql://user:secret@host/records")
    assert "SQLite or PostgreSQL" in caught.value.advice
    assert "secret" not in str(caught.value)
