"""Several files that get their names together."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.file_set import FileSet


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(folder: Path, *, keep: str | None) -> None:
    with FileSet(folder, "x", {}) as files:
        files.growing("a").write_text("half")
        if keep is not None:
            files.kept.mkdir()
            (files.kept / "part").write_text(keep)
        raise ZeroDivisionError


def test_all_files_appear_at_the_end_and_those_that_are_none_go(tmp_path: Path) -> None:
    (tmp_path / "x.old").write_text("of an earlier result")
    (tmp_path / "x.other").write_text("of somebody else")
    with FileSet(tmp_path, "x", {}) as files:
        files.growing("a").write_text("new a")
        files.growing("b").write_text("new b")
        files.without("old")
        assert names(tmp_path) == ["x.old", "x.other", "x.work"]
    assert names(tmp_path) == ["x.a", "x.b", "x.other"]
    assert files.final("a").read_text() == "new a"


def test_a_failure_leaves_earlier_files_and_what_the_next_attempt_can_use(tmp_path: Path) -> None:
    (tmp_path / "x.a").write_text("earlier")
    with pytest.raises(ZeroDivisionError) as failed:
        fail(tmp_path, keep="done")
    assert "goes on from there" in failed.value.__notes__[0]
    assert (tmp_path / "x.a").read_text() == "earlier"
    with FileSet(tmp_path, "x", {}) as files:
        assert (files.kept / "part").read_text() == "done"
    assert names(tmp_path) == ["x.a"]


def test_a_failure_with_nothing_to_keep_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as failed:
        fail(tmp_path / "new", keep=None)
    assert not hasattr(failed.value, "__notes__")
    assert names(tmp_path / "new") == []


def test_two_runs_do_not_write_into_each_other(tmp_path: Path) -> None:
    with FileSet(tmp_path, "x", {}), pytest.raises(SettingError, match="another run"), FileSet(tmp_path, "x", {}):
        pass
    assert names(tmp_path) == []


def test_what_is_read_is_never_replaced(tmp_path: Path) -> None:
    source = tmp_path / "x.genes.tsv"
    source.write_text("mine")
    given = {"annotation": str(source)}
    with pytest.raises(SettingError, match="it is the annotation"), FileSet(tmp_path, "x", given) as files:
        files.growing("genes.tsv")
    assert source.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingError, match="cannot write"), FileSet(tmp_path / "file", "x", {}):
        pass
