"""`agentic-spliceai graph`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from agentic_spliceai.cli_graph import add_graph
from agentic_spliceai.orchestration.loader import packaged_graphs
from agentic_spliceai.run import guarded


def graph(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_graph(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["graph", *arguments])
    return guarded(lambda: parsed.handler(parsed))


def test_mermaid_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("draw", "interpret_variant") == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")


@pytest.mark.parametrize(("suffix", "begin"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".mmd", b"flowchart")])
def test_a_picture_by_its_suffix(tmp_path: Path, suffix: str, begin: bytes) -> None:
    file = tmp_path / f"picture{suffix}"
    assert graph("draw", "interpret_variant", "-o", str(file)) == 0
    assert file.read_bytes().startswith(begin)


@pytest.mark.parametrize(("name", "words"), [("picture.gif", "ends in .svg"), ("no/folder/x.svg", "cannot be written")])
def test_what_cannot_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str) -> None:
    assert graph("draw", "interpret_variant", "-o", str(tmp_path / name)) == 2
    assert words in capsys.readouterr().err


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Workflow of agentic-spliceai"


def test_workflows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(packaged_graphs())
    assert any("change splicing" in line for line in lines)
