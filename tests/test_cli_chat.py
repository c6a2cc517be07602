"""The `chat` command: a script holds the conversation, and the real thing on this machine."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic_spliceai.cli_chat import add_chat
from agentic_spliceai.run import guarded
from agentic_spliceai.settings import reset_settings

ROOT = Path(__file__).resolve().parents[1]
REAL = "train the variant-aware model on minigene, 60 variants, 1 epoch, seed 1"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_THREADS", "1")
    monkeypatch.delenv("AGENTIC_SPLICEAI_MIRROR", raising=False)
    reset_settings()


def chat(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_chat(parser.add_subparsers())
    parsed = parser.parse_args(["chat", *arguments])
    return guarded(lambda: parsed.handler(parsed), as_json=parsed.as_json)


def test_lines_of_a_pipe_are_messages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("help\n\nbake me a \x1b[31mcake\nexit\nnever said\n"))
    assert chat() == 0
    out = capsys.readouterr().out
    assert "> help" in out
    assert "I am the offline planner" in out
    assert "never said" not in out
    assert "\x1b" not in out
    assert len(re.findall(r"^\[offline planner · 0 model calls", out, re.MULTILINE)) == 2


def test_messages_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert chat("--once", "train the variant-aware model", "--once", "minigene") == 0
    out = capsys.readouterr().out
    assert "On which data set?" in out
    assert "Answer 'approve' or 'reject'" in out
    assert "The plan still waits. Go on with: agentic-spliceai chat --resume" in out


def test_conversations_are_listed_and_taken_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert chat("--list") == 0
    assert capsys.readouterr().out == "no conversations\n"
    assert chat("--once", REAL) == 0
    capsys.readouterr()
    assert chat("--list") == 0
    assert REAL in capsys.readouterr().out
    assert chat("--resume", "latest", "--once", "reject") == 0
    out = capsys.readouterr().out
    assert f"you: {REAL}" in out
    assert "nothing was started" in out


def test_events_for_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert chat("--json", "--once", REAL) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "session"
    assert kinds[1:3] == ["plan", "answer"]
    assert kinds[-2:] == ["approval", "status"]
    assert events[-2]["question"]["choices"] == ["approve", "reject"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--resume", "0123"), "there is no conversation"),
        (("--model", "gpt"), "names no provider"),
        (("--base-url", "http://127.0.0.1:1"), "belong to a model"),
        (("--model", "openai:x", "--base-url", "http://127.0.0.1:1", "--price", "cheap"), "no price"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert chat(*arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


def test_a_server_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert chat("--model", "openai:x", "--base-url", "http://127.0.0.1:1/v1", "--once", "hm") == 0
    assert "openai:x gave no answer" in capsys.readouterr().out


@pytest.mark.slow
def test_an_experiment_from_request_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key: planned, approved, run on this machine, recorded, and asked about."""
    assert chat("--approve", "--once", REAL, "--once", "how good was the variant-aware model?") == 0
    out = capsys.readouterr().out
    first, second = out.split("[offline planner · ")[:2]
    assert "Plan " in first
    assert "succeeded" in first
    assert re.search(r"reached a PR-AUC of \S+ \[E-[0-9a-f]{8}\]", second)
    assert "simulated" in second


@pytest.mark.slow
def test_an_approval_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{REAL}\napprove\nlist my experiments\n"))
    assert chat() == 0
    out = capsys.readouterr().out
    assert "variant_aware on minigene, succeeded" in out


COMMAND = """\
import argparse, sys
from agentic_spliceai.cli_chat import add_chat
from agentic_spliceai.run import guarded
parser = argparse.ArgumentParser()
add_chat(parser.add_subparsers())
parsed = parser.parse_args(sys.argv[1:])
sys.exit(guarded(lambda: parsed.handler(parsed)))
"""


def stopped_while_it_follows(folder: Path, how: signal.Signals) -> tuple[int, str]:
    """Start an experiment in another process, send it a signal while its job runs, and return its status and output."""
    output = folder / "out.txt"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "chat", "--approve", "--once", REAL],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 120
        while "follow: " not in output.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(how)
        return process.wait(timeout=60), output.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_while_it_runs_it_goes_on_with_the_same_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: signal.Signals
) -> None:
    status, said = stopped_while_it_follows(tmp_path, how)
    assert "submit: done" in said
    assert status == (130 if how is signal.SIGINT else -how)
    if how is signal.SIGINT:
        assert "A job that was started goes on" in said
        assert "agentic-spliceai chat --resume" in said
    assert chat("--approve", "--resume", "latest", "--once", "list my experiments") == 0
    out = capsys.readouterr().out
    assert out.count("variant_aware on minigene, succeeded") == 1
    assert chat("--once", "is the job still running?") == 0
    assert len(re.findall(r"^- job ", capsys.readouterr().out, re.MULTILINE)) == 1
