"""A file that grows is gone on with where it stopped, whatever stopped it, and never with something else in it."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import NotScored, SettingError
from agentic_spliceai.tools import resumable_file as module
from agentic_spliceai.tools.batch_types import BatchResult, BatchSummary
from agentic_spliceai.tools.batch_writing import Piece, write_pieces
from agentic_spliceai.tools.result_file import result_file
from agentic_spliceai.tools.resumable_file import resumable_file

MADE_OF = {"Input": "sha256 aa", "Distance": "50"}
PIECES = 120


def pieces(done: int = 0) -> Iterator[Piece]:
    for number in range(done, PIECES):
        text = f"{number}\t{random.Random(number).randbytes(700).hex()}\n"
        reason = NotScored(code="even" if number % 2 == 0 else "odd", message="No.", advice="")
        yield Piece(text, [BatchResult(index=number, text=str(number), not_scored=reason)])


def write(output: Path, *, stop_at: int | None = None, blocks: bool = True, restart: bool = False) -> BatchSummary:
    def stopping(done: int) -> Iterator[Piece]:
        for number, piece in enumerate(pieces(done), done):
            if number == stop_at:
                raise KeyboardInterrupt
            yield piece

    with resumable_file(str(output), MADE_OF, blocks=blocks, restart=restart) as sink:
        return write_pieces("head\n", stopping(sink.summary.inputs), sink)


def whole_text() -> bytes:
    return ("head\n" + "".join(piece.text for piece in pieces())).encode()


@pytest.fixture(autouse=True)
def _each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS_BETWEEN", 0.0)


@pytest.mark.parametrize("blocks", [True, False])
def test_a_stopped_file_is_gone_on_with(tmp_path: Path, blocks: bool) -> None:
    write(tmp_path / "whole", blocks=blocks)
    out = tmp_path / "out"
    out.write_text("earlier\n")
    for stop in (0, 1, 60, 61, 119):
        with pytest.raises(KeyboardInterrupt) as stopped:
            write(out, stop_at=stop, blocks=blocks)
        assert stopped.value.__notes__ == [f"What was done is in {out}.partial; the same command goes on from there."]
        assert out.read_text() == "earlier\n"
        # What reached the disk after the journal did is not taken for done.
        with (tmp_path / "out.partial").open("ab") as part:
            part.write(b"half a li")
    summary = write(out, blocks=blocks)
    assert (summary.inputs, summary.scored, dict(summary.reasons)) == (PIECES, 0, {"even": 60, "odd": 60})
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert (gzip.decompress(out.read_bytes()) if blocks else out.read_bytes()) == whole_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from agentic_spliceai.tools import resumable_file as module
from tests.tools.test_resumable_file import write
module._SECONDS_BETWEEN = 0.0
threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
while True:
    write(Path(sys.argv[1]))
"""


def test_a_process_that_is_killed_at_any_moment_leaves_what_can_be_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out"
    seconds = random.Random()
    reached = set()
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(out), f"{seconds.uniform(0.0, 0.4):.3f}"],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        journal = tmp_path / "out.partial.json"
        if journal.exists():
            reached.add(json.loads(journal.read_text())["inputs"])
    assert reached
    write(out)
    assert gzip.decompress(out.read_bytes()) == whole_text()
    write(tmp_path / "whole")
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert not list(tmp_path.glob("out.*"))


def test_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write(out, stop_at=5)
    before = (tmp_path / "out.partial").read_bytes()
    other = MADE_OF | {"Distance": "500", "Tag": "SpliceAI"}
    changed = r"out\.partial was begun with something else \(Distance: 50, now 500; Tag: none, now SpliceAI\)"
    with pytest.raises(SettingError, match=changed) as refused, resumable_file(str(out), other):
        pass
    assert "--restart to begin again" in refused.value.advice
    assert (tmp_path / "out.partial").read_bytes() == before
    write(out, restart=True)
    assert gzip.decompress(out.read_bytes()) == whole_text()


def test_a_part_of_unknown_origin_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.partial").write_text("mine\n")
    with pytest.raises(SettingError, match="no journal says what it holds"):
        write(tmp_path / "out")
    assert (tmp_path / "out.partial").read_text() == "mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.partial"]


def test_what_another_command_leaves_is_not_gone_on_with(tmp_path: Path) -> None:
    """A failing command whose input cannot be read twice keeps its part under a name of its own."""
    write(tmp_path / "whole")
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write(out, stop_at=50)

    def fail() -> None:
        with result_file(str(out)) as handle:
            handle.write("other\n" * 100_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as failed:
        fail()
    [left] = [path for path in tmp_path.glob("out.*.partial") if path.read_text().startswith("other")]
    assert str(left) in "".join(failed.value.__notes__)
    write(out)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("damage", ["nonsense", '{"version": 0}', ""])
def test_a_damaged_journal_is_said(tmp_path: Path, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", stop_at=5)
    (tmp_path / "out.partial.json").write_text(damage)
    with pytest.raises(SettingError, match=r"out\.partial\.json is no journal of this program"):
        write(tmp_path / "out")


def test_a_part_that_lost_its_end_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", stop_at=100)
    with (tmp_path / "out.partial").open("r+b") as part:
        part.truncate(100)
    with pytest.raises(SettingError, match="is shorter than its journal says"):
        write(tmp_path / "out")


def test_two_do_not_write_one_file(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with resumable_file(out, MADE_OF), pytest.raises(SettingError, match="another process is writing"):  # noqa: SIM117
        with resumable_file(out, MADE_OF):
            pass


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot write .*No such file or directory"):
        write(tmp_path / "no" / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_error_and_can_be_gone_on_with(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on files")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SettingError, match=r"cannot write .*out: File too large") as full:
            write(tmp_path / "out", blocks=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert full.value.__notes__ == [f"What was done is in {tmp_path}/out.partial; the same command goes on from there."]
    assert write(tmp_path / "out", blocks=False).inputs == PIECES
    assert (tmp_path / "out").read_bytes() == whole_text()


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("earlier\n")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert gzip.decompress((tmp_path / "real").read_bytes()) == whole_text()
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
