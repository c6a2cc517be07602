"""`python -m agentic_spliceai.run`: questions, approval, runs that are taken up again."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from agentic_spliceai import run
from agentic_spliceai.cli import main as cli
from agentic_spliceai.orchestration import resuming, validator
from agentic_spliceai.orchestration.askers import TerminalAsker, approve_all
from agentic_spliceai.records.models import RunStatus
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.settings import get_settings, reset_settings
from agentic_spliceai.tools.interaction import NoOneToAskError, Question
from tests.orchestration import workshop as shop
from tests.orchestration.workshop import calls


@pytest.fixture(autouse=True)
def _workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AGENTIC_SPLICEAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workshop.yaml").write_text(shop.GRAPH)
    for module in (validator, resuming):
        monkeypatch.setattr(module, "default_registry", lambda: shop.REGISTRY)
    reset_settings()
    yield
    reset_settings()


def status(run_id: str) -> RunStatus:
    return RecordStore(get_settings().database_url).get_run(run_id).status


def test_approved_in_advance(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["workshop.yaml", "--set", "count=3", "--approve", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["status"], result["line"]) == ("succeeded", "blue0 blue1 blue2 by --approve")


def test_a_question_without_a_person_ends_with_3_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["workshop.yaml", "--set", "count=3"]) == 3
    captured = capsys.readouterr()
    assert "Paint 3 planks?" in captured.out
    assert "approve: waits for an answer" in captured.err
    (command,) = [line.strip() for line in captured.out.splitlines() if line.endswith("--approve")]
    words = command.split()
    assert words[:3] == ["agentic-spliceai", "run", "--resume"]
    assert status(words[3]) is RunStatus.WAITING
    assert cli(words[1:]) == 0
    assert "line: blue0 blue1 blue2 by --approve" in capsys.readouterr().out
    assert status(words[3]) is RunStatus.SUCCEEDED
    assert calls(Path("data")).count("cut") == 1


def test_a_question_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["workshop.yaml", "--json", "--quiet"]) == 3
    waiting = json.loads(capsys.readouterr().out)
    assert waiting == {
        "run_id": waiting["run_id"],
        "status": "waiting",
        "node": "approve",
        "question": {"title": "Paint 5 planks?", "details": {}, "choices": ["approve", "reject"]},
    }
    assert run.main(["--resume", waiting["run_id"][:8], "--json", "--approve"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == waiting["run_id"]


def test_a_run_that_has_succeeded(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["workshop.yaml", "--approve", "--json", "--quiet"]) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    assert run.main(["--resume", run_id, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "run_finished"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no workflow is named"),
        (["--resume", "abc"], "there is no run 'abc'"),
        (["workshop.yaml", "--resume", "abc"], "--resume goes on with the workflow"),
        (["--resume", "abc", "--set", "count=3"], "--resume goes on with the workflow"),
        (["--resume", "abc", "--no-record"], "--resume goes on with the workflow"),
    ],
)
def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert run.main(arguments) == 2
    assert words in capsys.readouterr().err


def test_no_record_and_nobody_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["workshop.yaml", "--no-record", "--quiet"]) == 2
    assert "nobody can be asked here: Paint 5 planks?" in capsys.readouterr().err


QUESTION = Question(
    title="Run this plan?",
    details={"arms": ["one", "two"], "cost": "$1 [at most]", "seeds": [1, 2], "notes": []},
    choices=("approve", "reject"),
)


def test_a_person_at_a_terminal_sees_the_details_and_answers() -> None:
    stream, lines = io.StringIO(), iter(["perhaps", "A", "go"])
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    answer = TerminalAsker(Console(file=stream, width=80), read)(QUESTION)
    assert (answer.choice, answer.comment) == ("approve", "go")
    shown = stream.getvalue()
    for words in ("Run this plan?", "$1 [at most]", "one", "two", "Answer one of: approve, reject."):
        assert words in shown
    assert "notes" not in shown
    assert prompts[0] == "approve / reject: "


def test_the_end_of_input_leaves_the_question_open() -> None:
    def read(prompt: str) -> str:
        raise EOFError

    with pytest.raises(NoOneToAskError, match="not answered"):
        TerminalAsker(Console(file=io.StringIO()), read)(QUESTION)


def test_approval_in_advance_answers_nothing_else() -> None:
    with pytest.raises(NoOneToAskError, match=r"does not answer: Which\?"):
        approve_all(Question(title="Which?", choices=("left", "right")))


_CHILD = """
import sys
from agentic_spliceai import run
from agentic_spliceai.orchestration import resuming, validator
from tests.orchestration import workshop
validator.default_registry = resuming.default_registry = lambda: workshop.REGISTRY
sys.exit(run.main(sys.argv[1:]))
"""


def test_on_a_real_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, "workshop.yaml", "--set", "count=2"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    ) as child:
        os.close(theirs)
        try:
            seen = _until(ours, "approve / reject:")
            assert "Paint 2 planks?" in seen
            os.write(ours, b"approve\n")
            _until(ours, "why")
            os.write(ours, b"\n")
            _until(ours, None)
            assert child.stdout is not None
            assert "line: blue0 blue1 by " in child.stdout.read()
            assert child.wait(60) == 0
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            os.close(ours)


def _until(terminal: int, words: str | None) -> str:
    """Read until `words` are there, or, with None, to the end; a minute is too long."""
    seen = ""
    while words is None or words not in seen:
        assert select.select([terminal], [], [], 60)[0], seen
        try:
            read = os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other side has closed
            break
        if not read:
            break
        seen += read
    assert words is None or words in seen, seen
    return seen
