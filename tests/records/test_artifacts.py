"""Files by their digest."""

from __future__ import annotations

import gc
import hashlib
import tempfile
from pathlib import Path

import pytest

from agentic_spliceai.records.artifacts import ArtifactStore, TemporaryArtifactStore
from agentic_spliceai.records.errors import ArtifactError


def test_what_is_put_in_comes_out_under_its_sha256(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store")
    source = tmp_path / "x.bin"
    source.write_bytes(b"splice" * 500_000)
    digest = store.put_file(source)
    assert digest == hashlib.sha256(b"splice" * 500_000).hexdigest()
    assert store.read(digest) == source.read_bytes()
    assert store.put_bytes(source.read_bytes()) == digest
    assert store.size(digest) == 3_000_000
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == [digest]


@pytest.mark.parametrize("damage", [b"", b"splicf", b"splice and more"])
def test_a_damaged_artifact_is_never_handed_out(tmp_path: Path, damage: bytes) -> None:
    store = ArtifactStore(tmp_path)
    digest = store.put_bytes(b"splice")
    store.path(digest).write_bytes(damage)
    for read in (store.path, store.read, store.size):
        with pytest.raises(ArtifactError, match="is damaged"):
            read(digest)


def test_storing_again_mends_a_damaged_artifact(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    digest = store.put_bytes(b"splice")
    store.path(digest).write_bytes(b"x")
    store.put_bytes(b"splice")
    assert store.read(digest) == b"splice"


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "ABC", "g" * 64])
def test_what_is_no_digest_names_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ArtifactError, match="is no sha256"):
        ArtifactStore(tmp_path).path(digest)


def test_a_missing_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no artifact"):
        ArtifactStore(tmp_path).read("0" * 64)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write the artifact") as caught:
        ArtifactStore(tmp_path / "file").put_bytes(b"x")
    assert "AGENTIC_SPLICEAI_DATA_DIR" in caught.value.advice


def test_a_temporary_store_lives_as_long_as_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = TemporaryArtifactStore()
    digest = store.put_bytes(b"tracks")
    assert store.read(digest) == b"tracks"
    assert store.root.stat().st_mode & 0o077 == 0
    assert store.root.parent == tmp_path
    del store
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_store_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ArtifactError, match="cannot make a temporary folder"):
        TemporaryArtifactStore()
