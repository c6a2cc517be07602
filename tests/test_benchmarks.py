"""The benchmarks are run by hand; here only that they start, and refuse what they cannot measure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "AGENTIC_SPLICEAI_MIRROR"}
    return subprocess.run(
        [sys.executable, str(FOLDER / script), *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("script", ["speed.py", "growth.py", "startup.py"])
def test_a_script_explains_itself_and_asks_for_data(script: str) -> None:
    explained = run(script, "--help")
    assert explained.returncode == 0, explained.stderr
    assert "--write-readme" in explained.stdout
    without_data = run(script)
    assert without_data.returncode == 1
    assert without_data.stderr.startswith("Set AGENTIC_SPLICEAI_MIRROR")


def test_a_device_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    refused = run("speed.py", "--mirror", str(tmp_path), "--device", "abacus")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Unknown device 'abacus'")


@pytest.mark.parametrize("script", ["speed", "growth", "startup"])
def test_the_page_has_a_place_for_each_table(script: str) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert page.index(f"<!-- {script}: begin -->") < page.index(f"<!-- {script}: end -->")
