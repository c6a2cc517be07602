"""Finding, downloading and verifying files, against a real HTTP server on loopback."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine import resources
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.resources import ResourceFile, ResourceResolver

BODY = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves `files`; `faults` holds, by path, what goes wrong at each next request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        ranged = self.headers.get("Range")
        server.requests.append((self.path, ranged))
        fault = server.faults.get(self.path, []).pop(0) if server.faults.get(self.path) else None
        body = server.files.get(self.path)
        if fault and fault.isdigit():
            self.send_error(int(fault))
            return
        if body is None:
            self.send_error(404)
            return
        start = int(ranged.removeprefix("bytes=").removesuffix("-")) if ranged else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : start + 1000] if fault == "cut" else body[start:])

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(resources.time, "sleep", lambda seconds: None)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def entry(server: Server, **changed: object) -> ResourceFile:
    fields: dict[str, object] = {
        "paths": ("models/w.bin",),
        "url": server.url("/w.bin"),
        "sha256": hashlib.sha256(BODY).hexdigest(),
    }
    return ResourceFile.model_validate(fields | changed)


def test_order_data_folder_then_mirror_then_download(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    resolver = ResourceResolver(data, mirror=mirror)
    heard: list[tuple[str, int, int | None]] = []
    resolver.progress = lambda *args: heard.append(args)
    assert resolver.locate(entry(server)) is None

    downloaded = resolver.resolve(entry(server), what="weights")
    assert downloaded == data / "models/w.bin"
    assert downloaded.read_bytes() == BODY
    assert heard[-1] == ("w.bin", len(BODY), len(BODY))

    downloaded.unlink()
    (mirror / "models").mkdir(parents=True)
    (mirror / "models/w.bin").write_bytes(BODY)
    assert resolver.resolve(entry(server), what="weights") == mirror / "models/w.bin"

    downloaded.write_bytes(BODY)
    assert resolver.resolve(entry(server), what="weights") == downloaded
    explicit = tmp_path / "mine"
    explicit.write_bytes(b"mine")
    assert resolver.resolve(entry(server), what="weights", explicit=explicit) == explicit
    assert len(server.requests) == 1


def test_broken_connection_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY
    server.faults["/w.bin"] = ["cut", "503", "cut"]
    path = ResourceResolver(tmp_path).resolve(entry(server), what="weights")
    assert path.read_bytes() == BODY
    assert [ranged for _, ranged in server.requests] == [None, "bytes=1000-", "bytes=1000-", "bytes=2000-"]


def test_wrong_checksum_leaves_nothing_behind(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY[:-1] + b"x"
    with pytest.raises(ResourceError, match="checksum"):
        ResourceResolver(tmp_path).resolve(entry(server), what="weights")
    left = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert left == ["w.bin.lock"]


def test_damaged_file_on_disk_is_refused_not_passed_over(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY
    (tmp_path / "models").mkdir()
    (tmp_path / "models/w.bin").write_bytes(b"damaged")
    with pytest.raises(ResourceError, match="damaged"):
        ResourceResolver(tmp_path).resolve(entry(server), what="weights")
    assert server.requests == []


def test_not_found_is_final(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="404"):
        ResourceResolver(tmp_path).resolve(entry(server), what="weights")
    assert len(server.requests) == 1


def test_server_that_never_answers_well(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY
    server.faults["/w.bin"] = ["500"] * 10
    with pytest.raises(ResourceError, match="could not be fetched"):
        ResourceResolver(tmp_path).resolve(entry(server), what="weights")
    assert len(server.requests) == 4


def test_nobody_listens(server: Server, tmp_path: Path) -> None:
    dead = entry(server, url="http://127.0.0.1:9/w.bin")
    with pytest.raises(ResourceError, match="could not be fetched"):
        ResourceResolver(tmp_path).resolve(dead, what="weights")


def test_unpacked_download_with_listed_checksum(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(b">chr1\nACGT\n")
    server.files["/genome.fa.gz"] = packed
    server.files["/MD5SUMS"] = f"{'0' * 32}  other\n{hashlib.md5(packed).hexdigest()}  ./genome.fa.gz\n".encode()
    file = ResourceFile(
        paths=("G/genome.fa.gz", "G/genome.fa"),
        url=server.url("/genome.fa.gz"),
        checksums_url=server.url("/MD5SUMS"),
        unpack=True,
    )
    path = ResourceResolver(tmp_path).resolve(file, what="genome")
    assert path == tmp_path / "G/genome.fa"
    assert path.read_text() == ">chr1\nACGT\n"
    server.files["/genome.fa.gz"] = gzip.compress(b">chr1\nTTTT\n")
    path.unlink()
    with pytest.raises(ResourceError, match="checksum"):
        ResourceResolver(tmp_path).resolve(file, what="genome")
    server.files["/MD5SUMS"] = b""
    with pytest.raises(ResourceError, match="does not list"):
        ResourceResolver(tmp_path).resolve(file, what="genome")


def test_downloads_off_says_where_it_looked(server: Server, tmp_path: Path) -> None:
    resolver = ResourceResolver(tmp_path / "data", mirror=tmp_path / "mirror", allow_download=False)
    with pytest.raises(ResourceError, match="mirror") as caught:
        resolver.resolve(entry(server), what="weights of x")
    assert "weights of x" in str(caught.value)
    assert server.requests == []


def test_file_of_a_package_that_is_not_installed(tmp_path: Path) -> None:
    file = ResourceFile(paths=("python:no_such_package_here/a.h5",))
    with pytest.raises(ResourceError, match=r"agentic-spliceai\[no_such_package_here\]"):
        ResourceResolver(tmp_path).resolve(file, what="weights")


def test_the_data_folder_wins_over_the_mirror_by_any_of_its_names(tmp_path: Path) -> None:
    """A downloaded, unpacked genome must not lose to a partial mirror's packed one."""
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    for folder, name in ((data, "genome.fa"), (mirror, "genome.fa.gz")):
        (folder / "G").mkdir(parents=True)
        (folder / "G" / name).write_bytes(b">c\nA\n")
    file = ResourceFile(paths=("python:pytest/__init__.py", "G/genome.fa.gz", "G/genome.fa"))
    resolver = ResourceResolver(data, mirror=mirror)
    assert resolver.locate(file) == data / "G/genome.fa"
    (data / "G/genome.fa").unlink()
    assert resolver.locate(file) == mirror / "G/genome.fa.gz"
    (mirror / "G/genome.fa.gz").unlink()
    installed = resolver.locate(file)
    assert installed is not None
    assert installed.name == "__init__.py"


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", "package:../x", "python:/etc/passwd"])
def test_a_path_stays_in_its_folder(path: str) -> None:
    with pytest.raises(ValueError, match="leaves its folder"):
        ResourceFile(paths=(path,))


def test_two_at_once_fetch_one_file_once(server: Server, tmp_path: Path) -> None:
    server.files["/w.bin"] = BODY
    found: list[Path] = []

    def fetch() -> None:
        found.append(ResourceResolver(tmp_path).resolve(entry(server), what="weights"))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert found[0].read_bytes() == BODY
    assert len(server.requests) == 1
