"""How a database gets the tables of this version, and keeps what is in it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from agentic_spliceai.records.base import Table
from agentic_spliceai.records.errors import RecordError, SchemaError
from agentic_spliceai.records.maintenance import check, current, upgrade
from agentic_spliceai.records.migrations import BASELINE, HEAD, REVISIONS
from agentic_spliceai.records.models import RunStatus
from agentic_spliceai.records.schema import configuration
from agentic_spliceai.records.store import RecordStore
from tests.records.test_store import new_run
from tests.records.toy import new_experiment_run, new_result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def old(file: Path) -> Path:
    """A database of release 0.1.0."""
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript((Path(__file__).parent / "release_0_1_0.sql").read_text())
    return file


def ask(file: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as raw:
        found = raw.execute(query).fetchall()
        raw.commit()
        return found


def test_a_new_database_is_what_the_models_say(file: Path) -> None:
    store = RecordStore(f"sqlite:///{file}")
    assert store.list_runs() == ()
    store.close()
    assert ask(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert check(f"sqlite:///{file}") == ()


def test_the_models_and_the_migrations_agree(file: Path) -> None:
    """Tables made by the models alone and by the migrations alone are the same, names of constraints included."""
    upgrade(f"sqlite:///{file}")
    models = file.with_name("models.sqlite")
    engine = create_engine(f"sqlite:///{models}")
    Table.metadata.create_all(engine)
    engine.dispose()

    def described(database: Path) -> dict[object, object]:
        names = [name for (name,) in ask(database, "SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: (
                sorted(row[1:] for row in ask(database, f"PRAGMA table_info({name})")),
                sorted(row[2:] for row in ask(database, f"PRAGMA foreign_key_list({name})")),
                sorted(
                    (name if origin == "c" else "", unique, tuple(ask(database, f"PRAGMA index_info('{name}')")))
                    for _, name, unique, origin, _ in ask(database, f"PRAGMA index_list({name})")
                ),
            )
            for name in names
            if name != "alembic_version"
        }

    assert described(file) == described(models)


def test_revisions_are_those_of_the_files(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(configuration(connection))
    engine.dispose()
    assert tuple(one.revision for one in script.walk_revisions())[::-1] == REVISIONS
    assert script.get_heads() == [HEAD]


def test_a_database_of_the_last_release_keeps_its_data(old: Path) -> None:
    url = f"sqlite:///{old}"
    assert (current(url).revision, current(url).up_to_date) == (BASELINE, False)
    store = RecordStore(url)
    run = store.get_run("a1b2")
    assert (run.status, run.attempts, run.verdict, run.variant) == (
        RunStatus.SUCCEEDED, 1, "splice-altering", "chr1-5-A-G",
    )  # fmt: skip
    assert run.inputs == {"variant": "chr1-5-A-G", "distance": 50, "annotation": None}
    assert [(step.node, step.seconds, step.error) for step in run.steps] == [("score", 1.5, None)]
    assert [artifact.bytes for artifact in run.artifacts] == [1234]
    failed = store.get_run("d4")
    assert failed.error is not None
    assert failed.error.code == "invalid_variant"
    store.start_run(new_run("new"))
    store.experiments.ensure("triage-minigene")
    store.experiments.add_run(new_experiment_run())
    store.experiments.finish_run("abc123", "succeeded", result=new_result())
    store.close()
    assert check(url) == ()
    assert current(url).up_to_date


def test_a_database_that_was_only_half_old_is_made_whole(old: Path) -> None:
    ask(old, "DROP TABLE artifact")
    store = RecordStore(f"sqlite:///{old}")
    assert store.get_run("a1b2c3").artifacts == ()
    store.close()
    assert check(f"sqlite:///{old}") == ()


def test_looking_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    url = f"sqlite:///{old}"
    assert current(url).revision == BASELINE
    assert "has revision 0001" in check(url)[0]
    assert ask(old, "SELECT name FROM sqlite_master WHERE name = 'alembic_version'") == []
    assert len(before) == len(old.read_bytes())
    nothing = old.with_name("nothing.sqlite")
    assert current(f"sqlite:///{nothing}").revision is None
    assert "there is no database yet" in check(f"sqlite:///{nothing}")[0]
    assert not nothing.exists()


def test_upgrading_twice_is_upgrading_once(old: Path) -> None:
    before, after = upgrade(f"sqlite:///{old}")
    assert (before.revision, after.revision) == (BASELINE, HEAD)
    before, after = upgrade(f"sqlite:///{old}")
    assert (before.revision, after.revision) == (HEAD, HEAD)


def test_an_upgrade_that_fails_leaves_everything_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise OSError("no room")

    # It fails after all revisions were run, before the end of the transaction.
    monkeypatch.setattr(Table.metadata, "create_all", stop)
    with pytest.raises(RecordError, match="no room"):
        upgrade(f"sqlite:///{old}")
    monkeypatch.undo()
    assert current(f"sqlite:///{old}").revision == BASELINE
    assert ask(old, "SELECT count(*) FROM sqlite_master WHERE name IN ('job', 'alembic_version')") == [(0,)]
    upgrade(f"sqlite:///{old}")
    assert ask(old, "SELECT count(*) FROM run") == [(2,)]


def test_rows_that_belong_nowhere_stop_an_upgrade(old: Path) -> None:
    ask(old, "INSERT INTO artifact VALUES (9, 'nobody', 'x', 'tracks', 1)")
    with pytest.raises(SchemaError, match="row 9 of artifact belongs to no row of run"):
        upgrade(f"sqlite:///{old}")
    assert current(f"sqlite:///{old}").revision == BASELINE


@pytest.mark.parametrize("revision", ["0099", "abcdef"])
def test_a_database_of_a_later_version(file: Path, revision: str) -> None:
    url = f"sqlite:///{file}"
    upgrade(url)
    ask(file, f"UPDATE alembic_version SET version_num = '{revision}'")
    store = RecordStore(url)
    for use in (store.list_runs, store.jobs.list, lambda: upgrade(url), lambda: current(url), lambda: check(url)):
        with pytest.raises(SchemaError, match=f"tables of revision {revision}, which this version") as caught:
            use()
        assert "Use the later version" in caught.value.advice
    assert ask(file, "SELECT version_num FROM alembic_version") == [(revision,)]


def test_a_read_only_database_of_this_version_is_read(file: Path) -> None:
    store = RecordStore(f"sqlite:///{file}")
    store.jobs.create(key="k", name="train", backend="local", spec={})
    store.close()
    reader = RecordStore(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert [job.key for job in reader.jobs.list()] == ["k"]
    with pytest.raises(RecordError, match="is read-only"):
        reader.jobs.create(key="l", name="train", backend="local", spec={})
    reader.close()
    assert check(f"sqlite:///file:{file}?mode=ro&uri=true") == ()


def test_a_read_only_database_of_the_last_release_says_so(old: Path) -> None:
    reader = RecordStore(f"sqlite:///file:{old}?mode=ro&uri=true")
    with pytest.raises(RecordError, match="is read-only"):
        reader.list_runs()
    reader.close()


def test_damage_is_found(file: Path) -> None:
    url = f"sqlite:///{file}"
    upgrade(url)
    ask(file, "INSERT INTO job_event VALUES ('nobody', 1, '2026-03-01 12:00:00', 'created', '')")
    ask(file, "DROP INDEX ix_job_state")
    ask(file, "ALTER TABLE job ADD COLUMN colour VARCHAR")
    problems = "\n".join(check(url))
    assert "dangling: row 1 of job_event belongs to no row of job" in problems
    assert "remove column job colour" in problems
    assert "add index ix_job_state" in problems


def test_an_ordinary_start_loads_no_alembic(file: Path) -> None:
    url = f"sqlite:///{file}"
    upgrade(url)
    code = (
        "import sys; from agentic_spliceai.records.store import RecordStore; store = RecordStore(sys.argv[1]); "
        "store.start_run(__import__('tests.records.test_store', fromlist=['x']).new_run()); "
        "print('alembic' in sys.modules, 'mlflow' in sys.modules, 'torch' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout
    assert said.split() == ["False", "False", "False"]


def test_a_folder_with_a_percent_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "50%(here)s"
    store = RecordStore(f"sqlite:///{folder / 'records.sqlite'}")
    assert store.list_runs() == ()
    store.close()


_STARTER = """
import sys
from agentic_spliceai.records.store import RecordStore
print("ready", flush=True)
sys.stdin.readline()
store = RecordStore(sys.argv[1])
print(len(store.list_runs()), store.jobs.create(key="k", name="x", backend="local", spec={}).id, flush=True)
"""


def test_processes_that_upgrade_at_once_all_succeed(old: Path) -> None:
    command = [sys.executable, "-c", _STARTER, f"sqlite:///{old}"]
    starters = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    said = {starter.communicate(timeout=60)[0] for starter in starters}
    assert len(said) == 1
    assert said.pop().startswith("2 ")
