"""The `db` commands."""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentic_spliceai.cli_db import add_db
from agentic_spliceai.records.migrations import BASELINE, HEAD
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.run import guarded
from agentic_spliceai.settings import reset_settings
from tests.records.toy import new_experiment_run

Db = Callable[..., int]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path))
    reset_settings()
    yield tmp_path / "records.sqlite"
    reset_settings()


@pytest.fixture
def db(file: Path) -> Db:
    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        add_db(parser.add_subparsers(required=True))
        arguments = parser.parse_args(["db", *words])
        return guarded(lambda: arguments.handler(arguments), as_json=arguments.as_json)

    return run


@pytest.fixture
def old(file: Path) -> Path:
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript((Path(__file__).parent / "records" / "release_0_1_0.sql").read_text())
    return file


def test_a_database_of_the_last_release(db: Db, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert db("current") == 0
    assert f"{old}: revision {BASELINE} (this version uses {HEAD})" in capsys.readouterr().out
    assert db("check") == 2
    assert "`agentic-spliceai db upgrade` brings it there" in capsys.readouterr().out
    assert db("upgrade") == 0
    assert f"{old}: revision {BASELINE} -> {HEAD}" in capsys.readouterr().out
    assert db("upgrade") == 0
    assert f"has the present tables, revision {HEAD}" in capsys.readouterr().out
    assert db("check") == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    store = RecordStore(f"sqlite:///{old}")
    assert [run.id for run in store.list_runs()] == ["d4e5f6", "a1b2c3"]
    store.close()


def test_no_database_yet(db: Db, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert db("current") == 0
    assert "revision none" in capsys.readouterr().out
    assert db("check") == 2
    assert not file.exists()
    capsys.readouterr()
    assert db("upgrade", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"location": f"sqlite:///{file}", "before": None, "after": HEAD}
    assert db("current", "--json") == 0
    assert json.loads(capsys.readouterr().out)["up_to_date"] is True
    assert db("check", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"problems": []}


def test_a_database_of_a_later_version(db: Db, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert db("upgrade") == 0
    with contextlib.closing(sqlite3.connect(old)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0099'")
        raw.commit()
    capsys.readouterr()
    for action in ("upgrade", "current", "check"):
        assert db(action) == 2
        said = capsys.readouterr()
        assert "revision 0099" in said.err
        assert "Traceback" not in said.err


def test_an_export_without_mlflow(
    db: Db, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RecordStore(f"sqlite:///{file}")
    store.experiments.ensure("triage-minigene")
    store.experiments.add_run(new_experiment_run())
    store.close()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    assert db("export-mlflow", "triage-minigene") == 2
    assert "pip install 'agentic-spliceai[mlflow]'" in capsys.readouterr().err
    assert db("export-mlflow", "delta-mfass", "--json") == 2
    assert "triage-minigene" in capsys.readouterr().out
