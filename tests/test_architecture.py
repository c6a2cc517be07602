"""The direction of imports, and what an ordinary library import may cost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = (
    "langchain",
    "langchain_core",
    "langgraph",
    "langsmith",
    "sqlmodel",
    "sqlalchemy",
    "jinja2",
    "matplotlib",
    "rich",
    "httpx",
)


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_imports_point_one_way(tmp_path: Path) -> None:
    """Import-linter reads folders, so the four top-level ones are put where `package-dir` maps them to."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "agentic_spliceai", tmp_path / "agentic_spliceai", ignore=ignore)
    for folder in ("tools", "graphs", "prompts", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / "agentic_spliceai" / folder, ignore=ignore)
    linter = str(Path(sys.executable).with_name("lint-imports"))
    result = run(linter, "--config", str(ROOT / "pyproject.toml"), "--no-cache", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    "module",
    [
        "agentic_spliceai.splice_engine",
        "agentic_spliceai.splice_engine.genome",
        "agentic_spliceai.splice_engine.base_layer.scoring",
        "agentic_spliceai.splice_engine.base_layer.registry",
        "agentic_spliceai.splice_engine.meta_layer",
        "agentic_spliceai.splice_engine.consequence",
    ],
)
def test_the_science_brings_no_agent_database_or_web_library(module: str, tmp_path: Path) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({FOREIGN!r})))"
    result = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""


def test_the_genome_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys, agentic_spliceai.splice_engine.genome; print('torch' in sys.modules)"
    assert run(sys.executable, "-c", code, cwd=tmp_path).stdout.strip() == "False"
