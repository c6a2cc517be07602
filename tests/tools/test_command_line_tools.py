"""The tools on the command line."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.cli_tools import add_tools
from agentic_spliceai.orchestration.askers import TerminalAsker
from agentic_spliceai.run import guarded
from agentic_spliceai.settings import reset_settings
from agentic_spliceai.tools import registry as registries
from agentic_spliceai.tools.command_line import arguments_from, kind_of, tool_parser
from agentic_spliceai.tools.interaction import Question
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError
from tests.tools.toolbox import HOSTILE, REGISTRY


def run(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="agentic-spliceai")
    add_tools(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["tools", *words])
    return guarded(lambda: arguments.handler(arguments))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    reset_settings()
    yield
    reset_settings()


@pytest.fixture
def toolbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "default_registry", lambda: REGISTRY)


def parsed(*words: str) -> dict[str, Any]:
    echo = REGISTRY["echo"]
    return arguments_from(echo, tool_parser(echo, "call echo"), words)


def test_arguments_become_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed("--text", "a b") == {"text": "a b"}
    assert parsed(
        "--text", "5", "--times", "2", "--weight", "0.5", "--loud", "true", "--mode", "long", "--side", "left",
        "--names", "a", "b", "--numbers", "1", "2", "--inner", '{"depth": 3}',
    ) == {
        "text": "5", "times": 2, "weight": 0.5, "loud": True, "mode": "long", "side": "left", "names": ["a", "b"],
        "numbers": [1, 2], "inner": {"depth": 3},
    }  # fmt: skip
    echo = REGISTRY["echo"]
    text = tool_parser(echo, "call echo").format_help()
    for name, info in echo.args.model_fields.items():
        assert f"--{name}" in text
        assert str(info.description) in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--times", "two"], "times: 'two' is not a whole number"),
        (["--loud", "yes"], "loud: 'yes' is not true or false"),
        (["--inner", "{"], "inner: '{' is not JSON"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--te", "a"], "unrecognized arguments: --te a"),
        (["--text"], "expected one argument"),
    ],
)
def test_an_option_that_does_not_fit_is_a_typed_error(words: list[str], message: str) -> None:
    with pytest.raises(ToolArgumentError, match=message):
        parsed(*words)


def test_every_tool_of_the_package_has_its_options() -> None:
    for tool in default_registry().values():
        assert tool_parser(tool, "x").format_help()
        for name, info in tool.args.model_fields.items():
            kind, several = kind_of(info.annotation)
            schema = tool.args.model_json_schema()["properties"][name]
            if schema.get("type") in ("integer", "number", "boolean", "string"):
                wanted = {"integer": "integer", "number": "number", "boolean": "truth", "string": "text"}
                assert (kind, several) == (wanted[schema["type"]], False), (tool.name, name)


def test_a_call_prints_the_result_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {"text": "minigene-2139-G-A", "genome": "demo"}
    for words in (
        ["--text", "minigene-2139-G-A", "--genome", "demo"],
        ["--json", json.dumps(wanted)],
        [f"--json={json.dumps(wanted)}"],
    ):
        assert run("call", "resolve_variant", *words) == 0
        assert json.loads(capsys.readouterr().out)["variant"]["position"] == 2139


def test_arguments_from_a_file_and_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], toolbox: None
) -> None:
    (tmp_path / "args.json").write_text('{"text": "a"}')
    assert run("call", "echo", "--json", f"@{tmp_path / 'args.json'}") == 0
    assert json.loads(capsys.readouterr().out)["text"] == "a"
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "b"}'))
    assert run("call", "--json", "-", "echo") == 0
    assert json.loads(capsys.readouterr().out)["text"] == "b"
    assert run("call", "--json", "{}", "echo", "--text", "a") == 2
    assert "given twice" in capsys.readouterr().err
    assert run("call", "echo", "--json", "@missing.json") == 2
    assert run("call", "echo", "--json", "[1]") == 2
    assert run("call", "echo", "--json", "{") == 2


def test_nothing_raw_reaches_the_terminal(capsys: pytest.CaptureFixture[str], toolbox: None) -> None:
    given = json.dumps({"text": HOSTILE, "names": [HOSTILE]})
    assert run("call", "echo", "--json", given) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert json.loads(out)["names"] == [HOSTILE]
    assert run("call", "echo", "--json", json.dumps({"text": "a", HOSTILE: 1})) == 2
    assert run("call", "echo", "--times", HOSTILE) == 2
    assert run("call", "echo", f"--{HOSTILE}", "x") == 2
    assert run("call", HOSTILE) == 2
    assert run("call", "fail", "--how", "typed") == 2
    err = capsys.readouterr().err
    assert err.replace("\n", "").isprintable()
    assert err.count("error:") == 5


def test_unknown_tools_and_wrong_arguments_end_with_the_code_for_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("call", "resolve_varian", "--text", "x") == 2
    assert "Did you mean 'resolve_variant'?" in capsys.readouterr().err
    assert run("call", "resolve_variant", "--text", "x") == 2
    assert "genome: field required" in capsys.readouterr().err


def test_a_job_is_started_only_when_a_person_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], toolbox: None
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("call", "start", "--how", "x") == 2
    assert "nobody can be asked here. Add --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run("call", "spend", "--how", "x") == 2
    assert "spend spends money. Go on? [y/N]" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run("call", "start", "--how", "x") == 0
    assert json.loads(capsys.readouterr().out) == {"done": True}
    assert run("call", "--yes", "start", "--how", "x") == 0


def test_tools_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(default_registry())
    assert rows["score_variant"]["side_effect"] == "writes_files"
    assert (rows["score_variant"]["internal"], rows["record_run"]["internal"]) == (False, True)
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == set(rows)
    assert {line.split()[0] for line in lines if "not offered to agents" in line} == {
        name for name, row in rows.items() if row["internal"]
    }
    assert run("show", "score_variant") == 0
    shown = capsys.readouterr().out
    assert "--base-model" in shown
    assert "The largest raw gain or loss of all." in shown


def test_the_schemas_of_a_tool_on_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "score_variant", "--schema") == 0
    page = json.loads(capsys.readouterr().out)
    tool = default_registry()["score_variant"]
    assert page["arguments"] == tool.args.model_json_schema()
    assert set(page["result"]["properties"]) == {"scores", "max_score"}
    assert (page["side_effect"], page["cost_class"]) == ("writes_files", "seconds")


def test_a_side_effect_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--allow", "everything") == 2
    assert "There is no side effect 'everything'" in capsys.readouterr().err


def test_a_question_cannot_act_on_the_terminal() -> None:
    from rich.console import Console

    shown = io.StringIO()
    question = Question(title=HOSTILE, details={HOSTILE: HOSTILE, "list": [HOSTILE]}, choices=("approve", "reject"))
    asker = TerminalAsker(Console(file=shown, width=200), read=lambda prompt: "approve" if "/" in prompt else "")
    assert asker(question).choice == "approve"
    assert shown.getvalue().replace("\n", "").isprintable()
    assert "Ignore previous instructions." in shown.getvalue()
