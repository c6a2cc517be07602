"""The database of runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentic_spliceai.records.errors import ConflictError, RecordError, UnknownRunError
from agentic_spliceai.records.models import NewArtifact, NewRun, NewStep, RecordedError, RunStatus, StepStatus
from agentic_spliceai.records.process import environment, has_ended, host_name, process_token
from agentic_spliceai.records.store import RecordStore
from tests.reporting import toys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "records.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[RecordStore]:
    opened = RecordStore(f"sqlite:///{file}", busy_timeout=0.1)
    yield opened
    opened.close()


def new_run(run_id: str = "a1b2c3", **changes: object) -> NewRun:
    values: dict[str, object] = {
        "id": run_id,
        "graph_name": "toy",
        "graph_sha256": "0" * 64,
        "software_version": "0.1.0",
        "inputs": {"variant": "chr1-5-A-G", "distance": 50, "annotation": None},
        "started_at": NOON,
        "environment": environment(),
        "host": host_name(),
        "pid": os.getpid(),
        "process_token": process_token(os.getpid()),
    }
    return NewRun.model_validate(values | changes)


def test_a_run_comes_back_as_it_was_written(store: RecordStore) -> None:
    store.start_run(new_run())
    assert store.get_run("a1b2c3").status is RunStatus.RUNNING
    step = NewStep(
        node="score", tool="score_variant", attempt=1, started_at=NOON, seconds=1.5, status=StepStatus.FAILED,
        error=RecordedError(code="weights", message="gone", advice="Fetch.", node="score"),
    )  # fmt: skip
    store.add_step("a1b2c3", step)
    error = RecordedError(code="weights", message="gone", advice="Fetch.", node="score")
    store.finish_run("a1b2c3", RunStatus.FAILED, finished_at=NOON + timedelta(seconds=2), error=error)
    run = store.get_run("a1b2c3")
    assert (run.status, run.error, run.steps) == (RunStatus.FAILED, error, (step,))
    assert run.inputs == {"variant": "chr1-5-A-G", "distance": 50, "annotation": None}
    assert (run.started_at, run.finished_at) == (NOON, NOON + timedelta(seconds=2))
    assert run.started_at.utcoffset() == timedelta(0)


def test_times_are_kept_in_utc(store: RecordStore, file: Path) -> None:
    store.start_run(new_run(started_at=datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))))
    assert store.get_run("a1b2c3").started_at == NOON
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT started_at FROM run").fetchone()[0].startswith("2026-03-01 12:00:00")
    raw.close()


@pytest.mark.parametrize(
    "wrong", [{"started_at": datetime(2026, 1, 1)}, {"graph_sha256": "x"}, {"id": ""}, {"pid": -1}, {"colour": "red"}]
)
def test_nothing_enters_unchecked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        new_run(**wrong)


def test_wal_foreign_keys_and_the_busy_timeout_are_on(store: RecordStore, file: Path) -> None:
    store.start_run(new_run())
    with sqlite3.connect(file) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    raw.close()
    with pytest.raises(RecordError, match="refused a row that belongs to no run"):
        store.add_step(
            "nobody",
            NewStep(node="x", tool="x", attempt=1, started_at=NOON, seconds=0, status=StepStatus.SUCCEEDED),
        )


def test_runs_are_listed_newest_first_and_found_by_a_beginning(store: RecordStore) -> None:
    for number, run_id in enumerate(("aa11", "aa22", "bb33")):
        store.start_run(new_run(run_id, started_at=NOON + timedelta(minutes=number)))
    assert [run.id for run in store.list_runs()] == ["bb33", "aa22", "aa11"]
    assert [run.id for run in store.list_runs(1)] == ["bb33"]
    assert store.list_runs(graph="other") == ()
    assert store.get_run("bb").id == "bb33"
    with pytest.raises(UnknownRunError, match="several runs begin with 'aa'"):
        store.get_run("aa")
    for nobody in ("cc", "", "%", "_"):
        with pytest.raises(UnknownRunError, match="there is no run"):
            store.get_run(nobody)


def test_only_runs_whose_process_has_gone_become_interrupted(store: RecordStore) -> None:
    store.start_run(new_run("alive"))
    store.start_run(new_run("reused", process_token="another boot:1"))
    store.start_run(new_run("elsewhere", host="another-machine", pid=1))
    store.start_run(new_run("done", process_token="another boot:1"))
    store.finish_run("done", RunStatus.SUCCEEDED)
    assert {run.id for run in store.mark_interrupted()} == ({"reused"} if process_token(os.getpid()) else set())
    assert store.get_run("alive").status is RunStatus.RUNNING
    assert store.get_run("elsewhere").status is RunStatus.RUNNING
    assert store.get_run("done").status is RunStatus.SUCCEEDED


def test_a_run_that_was_taken_up_meanwhile_is_not_interrupted(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first process is gone; between the look at it and the mark, another one goes on with it."""
    store.start_run(new_run("taken", pid=2**22 + 12345))
    store.start_run(new_run("gone", pid=2**22 + 12345))

    def take_up(*_: object) -> bool:
        seen = store.get_run("taken")
        if seen.attempts == 1:
            assert store.continue_run("taken", seen.status, host=host_name(), pid=os.getpid(), process_token="")
        return True

    monkeypatch.setattr("agentic_spliceai.records.store.has_ended", take_up)
    assert [run.id for run in store.mark_interrupted()] == ["gone"]
    assert store.get_run("taken").status is RunStatus.RUNNING


def test_an_interpretation_is_kept_once(store: RecordStore) -> None:
    found = toys.skipping().interpretation
    files = (NewArtifact(sha256="a" * 64, kind="tracks", bytes=5),)
    store.start_run(new_run())
    for _ in range(2):  # a process that was killed right after the first time does it again
        store.add_interpretation("a1b2c3", found, files)
    run = store.get_run("a1b2c3")
    assert (run.interpretation, run.artifacts) == (found.model_dump(mode="json"), files)
    other = found.model_copy(update={"variant": found.variant.model_copy(update={"position": 7})})
    with pytest.raises(ConflictError, match="has interpreted"):
        store.add_interpretation("a1b2c3", other, files)
    with pytest.raises(RecordError, match="belongs to no run"):
        store.add_interpretation("nobody", found, files)


def test_a_process_that_never_was_has_ended() -> None:
    assert has_ended(host_name(), 2**22 + 12345, "")
    assert not has_ended(host_name(), os.getpid(), process_token(os.getpid()))


_STARTER = """
import sys
from agentic_spliceai.records.store import RecordStore
from tests.records.test_store import new_run
print("ready", flush=True)
for line in sys.stdin:
    url, run_id = line.split()
    store = RecordStore(url)
    try:
        store.mark_interrupted()
        store.start_run(new_run(run_id))
        print("started", flush=True)
    except Exception as error:
        print(repr(error), flush=True)
    finally:
        store.close()
"""


def test_processes_that_start_at_once_share_a_fresh_database(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        starters = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _STARTER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=Path(__file__).parents[2],
                )
            )
            for _ in range(4)
        ]
        pipes = [(starter.stdin, starter.stdout) for starter in starters]
        for _, answers in pipes:
            assert answers is not None
            assert answers.readline() == "ready\n"
        for attempt in range(12):
            url = f"sqlite:///{tmp_path / f'{attempt}.sqlite'}"
            for number, (orders, _) in enumerate(pipes):
                assert orders is not None
                orders.write(f"{url} run{number}\n")
                orders.flush()
            heard = [answers.readline().strip() for _, answers in pipes if answers is not None]
            assert heard == ["started"] * 4
            store = RecordStore(url)
            assert {run.id for run in store.list_runs()} == {"run0", "run1", "run2", "run3"}
            store.close()


def test_tables_that_are_missing_are_added(store: RecordStore, file: Path) -> None:
    store.start_run(new_run())
    store.close()
    with sqlite3.connect(file) as raw:
        raw.execute("DROP TABLE artifact")
    raw.close()
    assert store.get_run("a1b2c3").artifacts == ()


def test_a_locked_database(store: RecordStore, file: Path) -> None:
    store.start_run(new_run())
    other = sqlite3.connect(file)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="is locked by another process") as caught:
            store.finish_run("a1b2c3", RunStatus.SUCCEEDED)
        assert "--no-record" in caught.value.advice
        assert store.get_run("a1b2c3").status is RunStatus.RUNNING  # WAL: reading goes on
    finally:
        other.close()
    store.finish_run("a1b2c3", RunStatus.SUCCEEDED)


def test_a_read_only_database(store: RecordStore, file: Path) -> None:
    store.start_run(new_run())
    reader = RecordStore(f"sqlite:///file:{file}?mode=ro&uri=true")
    try:
        assert reader.get_run("a1b2c3").id == "a1b2c3"
        with pytest.raises(RecordError, match="is read-only"):
            reader.start_run(new_run("x"))
    finally:
        reader.close()


@pytest.mark.parametrize(
    "content", [b"this is a text file, and not a short one" * 50, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_damaged_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.sqlite").write_bytes(content)
    store = RecordStore(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with pytest.raises(RecordError, match=r"no SQLite database|is damaged|cannot be used") as caught:
        store.list_runs()
    assert "\n" not in caught.value.message
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "nodialect://x/y",
        "postgresql+asyncpg2://u:secret@h/d",
        "mssql+pymssql://u:secret@h/d",
        "x://u:sec/secret@h:port/d",
        "://u:secret@h",
    ],
)
def test_a_database_that_cannot_be_opened(url: str) -> None:
    def use() -> None:
        RecordStore(url).list_runs()

    with pytest.raises(RecordError) as caught:
        use()
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordError, match=r"AGENTIC_SPLICEAI_DATA_DIR.*AGENTIC_SPLICEAI_DATABASE_URL"):
        RecordStore(f"sqlite:///{tmp_path / 'file' / 'records.sqlite'}").list_runs()


def test_an_artifact_is_named_by_a_digest() -> None:
    with pytest.raises(ValidationError):
        NewArtifact(sha256="zz", kind="tracks", bytes=1)
