"""Help is there at once: it waits for no library that only some command needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch", "numpy", "pandas", "matplotlib", "scipy", "pyarrow", "pysam", "sqlalchemy", "alembic", "jinja2",
    "langgraph", "langchain_core", "transformers", "lightning",
)  # fmt: skip

SCRIPT = """
import sys
from agentic_spliceai.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["interpret", "--help"], ["version"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    said, _, loaded = done.stdout.rpartition("loaded:")
    assert "agentic-spliceai" in said
    assert "agentic_spliceai" in loaded.split()
    assert not set(HEAVY) & set(loaded.split())
