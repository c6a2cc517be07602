"""Without its extras the package starts, validates its workflows and answers: only training needs more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What the extras bring; a core installation has none of them.
EXTRAS = (
    "sklearn", "scipy", "pandas", "lightning", "torchmetrics", "transformers", "langchain", "langchain_openai",
    "fastmcp", "mlflow", "h5py", "pyarrow", "pyBigWig",
)  # fmt: skip

BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_SPLICEAI_")} | {
        "AGENTIC_SPLICEAI_DATA_DIR": str(folder / "data"),
        "AGENTIC_SPLICEAI_CACHE_DIR": str(folder / "cache"),
        "AGENTIC_SPLICEAI_REPORTS_DIR": str(folder / "reports"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "command",
    [
        ["tools", "list"],
        ["validate", "plan_experiment"],
        ["interpret", "minigene-2139-G-A", "--quiet"],
        ["chat", "--once", "help"],
        ["chat", "--once", "compare the CNN and the variant-aware model on minigene with three seeds"],
        ["jobs", "list"],
        ["runs", "list"],
    ],
)
def test_a_core_installation_does_what_needs_no_training(tmp_path: Path, command: list[str]) -> None:
    done = run(f"from agentic_spliceai.cli import main\nsys.exit(main({command!r}))", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_training_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    code = "from agentic_spliceai.run import main\nsys.exit(main(['train_and_evaluate', '--quiet']))"
    done = run(code, tmp_path)
    assert done.returncode == 2
    assert "agentic-spliceai[meta]" in done.stderr
