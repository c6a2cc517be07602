"""What is written down about the machine and the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentic_spliceai.records.environment import environment, git_state


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.py").write_text("gate = False\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_environment_names_versions_and_the_machine() -> None:
    found = environment()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert isinstance(found["packages"], dict)
    assert found["packages"]["pydantic"]
    assert found["cpus"] == os.cpu_count()
    assert {"platform", "cpu", "threads", "gpus"} <= set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_clean_repository_is_its_commit(repository: Path) -> None:
    (repository / "run.log").write_text("ignored")
    state = git_state(repository / "deep")
    assert (state.commit, state.dirty_diff, state.reason) == (git(repository, "rev-parse", "HEAD"), None, "")


def test_what_differs_from_the_commit_is_kept(repository: Path) -> None:
    (repository / "deep" / "model.py").write_text("gate = True\n")
    (repository / "new.py").write_text("layers = 3\n")
    git(repository, "add", "deep/model.py")  # staged or not, it differs
    diff = git_state(repository / "deep").dirty_diff
    assert diff is not None
    assert "-gate = False" in diff
    assert "+gate = True" in diff
    assert "?? new.py" in diff


def test_a_difference_that_is_too_long_is_not_told_as_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(repository).summary()["dirty"] is False
    (repository / "deep" / "model.py").write_text("gate = True\n")
    assert git_state(repository).summary()["dirty"] is True
    monkeypatch.setattr("agentic_spliceai.records.environment._LONGEST_DIFF", 10)
    kept = git_state(repository).summary()
    assert (kept["commit"], kept["dirty"]) == (git(repository, "rev-parse", "HEAD"), None)
    assert "more than 10 bytes" in str(kept["reason"])


def test_without_a_repository_there_is_a_reason(tmp_path: Path, repository: Path) -> None:
    outside = tmp_path.parent
    state = git_state(outside)
    assert (state.commit, state.dirty_diff) == (None, None)
    assert "not a git repository" in state.reason


def test_a_repository_without_a_commit_has_a_reason(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    state = git_state(tmp_path)
    assert state.commit is None
    assert state.reason


def test_without_git_there_is_a_reason(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    state = git_state(repository)
    assert (state.commit, state.reason) == (None, "git is not installed")


def test_a_hook_of_another_repository_does_not_mislead(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    state = git_state(repository)
    monkeypatch.delenv("GIT_DIR")
    assert state.commit == git(repository, "rev-parse", "HEAD")


def test_this_code_is_named_or_a_reason_is_given() -> None:
    state = git_state()
    assert (state.commit is None) == bool(state.reason)
