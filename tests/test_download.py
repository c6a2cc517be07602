"""A base model that is not on this machine: fetched from a loopback server, verified, and used by the workflow."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

WEIGHTS = Path(__file__).resolve().parents[1] / "agentic_spliceai/splice_engine/base_layer/weights"
SMALL = WEIGHTS / "small-400nt.safetensors"
ENTRY = """
remote:
  version: "1"
  description: served from loopback
  adapter: safetensors
  annotation_source: test
  context: 400
  licence: none
  url_prefix: {prefix}
  files: [{{paths: [models/remote.safetensors], url: {name}, sha256: {digest}}}]
  thresholds: {{weak: 0.1, moderate: 0.2, strong: 0.5, source: test, calibrated: false}}
"""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "good.safetensors").write_bytes(SMALL.read_bytes())
    (folder / "bad.safetensors").write_bytes(SMALL.read_bytes()[:-1] + b"\0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def interpret(folder: Path, served: str, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    digest = hashlib.sha256(SMALL.read_bytes()).hexdigest()
    (data / "base_models.yaml").write_text(ENTRY.format(prefix=served, name=name, digest=digest))
    settings = {"AGENTIC_SPLICEAI_DATA_DIR": str(data), "AGENTIC_SPLICEAI_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "agentic_spliceai.run", "interpret_variant", "--set", "base_model=remote"],
        cwd=folder,
        env=os.environ | settings | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_downloaded_verified_and_used(served: str, tmp_path: Path) -> None:
    done = interpret(tmp_path, served, "good.safetensors")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/models/remote.safetensors").read_bytes() == SMALL.read_bytes()
    assert "remote" in done.stdout
    # The second run needs no server.
    offline = interpret(tmp_path, "http://127.0.0.1:9/", "good.safetensors", AGENTIC_SPLICEAI_ALLOW_DOWNLOAD="false")
    assert offline.returncode == 0, offline.stderr


@pytest.mark.parametrize(("name", "told"), [("bad.safetensors", "checksum"), ("absent.safetensors", "404")])
def test_damaged_or_absent_is_one_line_and_exit_code_2(name: str, told: str, served: str, tmp_path: Path) -> None:
    done = interpret(tmp_path, served, name)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert told in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data/models/remote.safetensors").exists()


def test_downloads_switched_off(served: str, tmp_path: Path) -> None:
    done = interpret(tmp_path, served, "good.safetensors", AGENTIC_SPLICEAI_ALLOW_DOWNLOAD="false")
    assert done.returncode == 2
    assert "downloads are off" in done.stderr
