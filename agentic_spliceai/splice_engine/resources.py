"""Files by name: weights, genomes and annotation, found or fetched, and verified.

Order: explicit path, data folder, local mirror, download with checksum. A file that fails its checksum is an error,
never a reason to look further.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import time
import urllib.error
import urllib.request
import zlib
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Protocol, TypeVar

import yaml
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from agentic_spliceai.splice_engine.errors import RegistryError, ResourceError

_CHUNK = 1 << 20
_ATTEMPTS = 4

Entry = TypeVar("Entry", bound=BaseModel)
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Progress(Protocol):
    """Hears how a download goes on."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Take the bytes done so far; `total` is None when the server does not say."""
        ...


class ResourceFile(BaseModel):
    """One file: where it may be and how to know that it is the right one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[str, ...] = Field(
        min_length=1,
        description="Relative to data folder or mirror; `package:` for our own files, `python:` for another package's.",
    )
    url: str | None = Field(default=None, description="Where to download it from.")
    sha256: Sha256 | None = Field(default=None, description="Digest of the file as it lies on disk.")
    checksums_url: str | None = Field(
        default=None, description="List of `md5  name` lines that names the downloaded file."
    )
    unpack: bool = Field(default=False, description="Gunzip the download; the last of `paths` is the unpacked file.")

    @field_validator("paths")
    @classmethod
    def _stay_inside(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            inner = PurePosixPath(path.partition(":")[2] if path.startswith(("package:", "python:")) else path)
            if inner.is_absolute() or ".." in inner.parts:
                raise ValueError(f"{path!r} leaves its folder; give the file itself as an explicit path")
        return paths


class ResourceResolver:
    """Finds files by their entry.

    Parameters
    ----------
    data_dir
        The user's data folder; downloads are written here.
    mirror
        A folder in the same layout, never written to.
    allow_download
        Whether the network may be used.
    progress
        Hears of each chunk of a download.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        mirror: Path | None = None,
        allow_download: bool = True,
        progress: Progress | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.mirror = mirror
        self.allow_download = allow_download
        self.progress = progress

    def locate(self, file: ResourceFile) -> Path | None:
        """Return where the file is on this machine, or None; nothing is downloaded or verified."""
        own = [name for name in file.paths if ":" not in name]
        candidates = [folder / name for folder in (self.data_dir, self.mirror) if folder is not None for name in own]
        for name in file.paths:
            kind, _, rest = name.partition(":")
            if kind == "package" and rest:
                candidates.append(_package_root() / rest)
            elif kind == "python" and rest:
                candidates += _in_python_package(rest)
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    def resolve(self, file: ResourceFile, *, what: str, explicit: Path | None = None) -> Path:
        """Return a verified local path, downloading if need be.

        Parameters
        ----------
        file
            The entry.
        what
            What it is, for messages: `weights of spliceai`.
        explicit
            A path that the user gave; taken as it is, without checksum.

        Raises
        ------
        ResourceError
            If the file is nowhere, cannot be fetched, or fails its checksum.
        """
        if explicit is not None:
            if not explicit.is_file():
                raise ResourceError(f"No file {explicit} ({what}).", "Check the path.")
            return explicit
        found = self.locate(file) or self._fetch(file, what)
        if file.sha256 is not None and sha256_of(found) != file.sha256:
            raise ResourceError(
                f"{found.name} ({what}) is damaged or another version: its sha256 is not {file.sha256[:12]}....",
                f"Delete {found} and run again, or give an explicit path.",
            )
        return found

    def _fetch(self, file: ResourceFile, what: str) -> Path:
        places = f"data folder {self.data_dir}" + (f", mirror {self.mirror}" if self.mirror else "")
        if file.url is None:
            raise ResourceError(
                f"{file.paths[0]} ({what}) is not on this machine: looked in {places}.", _advice_without_url(file)
            )
        if not self.allow_download:
            raise ResourceError(
                f"{file.paths[0]} ({what}) is not on this machine and downloads are off: looked in {places}.",
                "Set AGENTIC_SPLICEAI_MIRROR to a folder that has it, or allow downloads.",
            )
        target = self.data_dir / file.paths[-1]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # One process fetches; the others wait for it and find the file.
            with FileLock(f"{target}.lock"):
                return self.locate(file) or self._fetch_locked(file, file.url, target, what)
        except OSError as error:
            raise ResourceError(
                f"Cannot write to {target.parent}: {error.strerror}.", "Set AGENTIC_SPLICEAI_DATA_DIR."
            ) from error

    def _fetch_locked(self, file: ResourceFile, url: str, target: Path, what: str) -> Path:
        part = target.with_name(target.name + ".part")
        expected = _listed_md5(url, file.checksums_url, part, what) if file.checksums_url else None
        _download(url, part, what, self.progress)
        fits = expected is None or _digest_of(part, hashlib.md5(usedforsecurity=False)) == expected
        if fits and file.unpack:
            part = _gunzip(part, target, what)
        if not fits or (file.sha256 is not None and sha256_of(part) != file.sha256):
            part.unlink()
            raise ResourceError(
                f"The download of {url} ({what}) fails its checksum.", "Run again; if it stays, report it."
            )
        part.replace(target)
        return target


def _listed_md5(url: str, checksums_url: str, part: Path, what: str) -> str:
    """Fetch a list of `md5  name` lines and return the digest of the file that `url` names."""
    name = PurePosixPath(url).name
    listing = part.with_name(part.name + ".md5")
    listing.unlink(missing_ok=True)
    _download(checksums_url, listing, f"checksums for {what}", None)
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    listing.unlink()
    for line in lines:
        digest, _, rest = line.strip().partition(" ")
        if PurePosixPath(rest.strip().lstrip("*")).name == name:
            return digest.lower()
    raise ResourceError(f"{checksums_url} does not list {name} ({what}).", "The release moved: give an explicit path.")


def load_registry(text: str, entry: type[Entry], *, source: str) -> dict[str, Entry]:
    """Parse a registry YAML: a mapping of names to entries.

    Raises
    ------
    RegistryError
        Naming the entry and field that is wrong.
    """
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RegistryError(f"{source} is not valid YAML: {' '.join(str(error).split())}.", "Mend the file.") from error
    if not isinstance(raw, dict):
        raise RegistryError(f"{source} holds no mapping of names to entries.", "Mend the file.")
    entries: dict[str, Entry] = {}
    for name, fields in raw.items():
        try:
            entries[str(name)] = entry.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "entry"
            raise RegistryError(f"{source}, {name}: {place}: {first['msg']}.", "Mend the entry.") from error
    return entries


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return _digest_of(path, hashlib.sha256())


def _digest_of(path: Path, digest: Any) -> str:
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return str(digest.hexdigest())


def _package_root() -> Path:
    return Path(__file__).resolve().parents[1]


def _in_python_package(name: str) -> list[Path]:
    """Find a data file of an installed package without importing it."""
    package, _, rest = name.partition("/")
    spec = importlib.util.find_spec(package)
    return [Path(folder) / rest for folder in (spec.submodule_search_locations or [])] if spec else []


def _advice_without_url(file: ResourceFile) -> str:
    packages = sorted({p.removeprefix("python:").partition("/")[0] for p in file.paths if p.startswith("python:")})
    if packages:
        return f"Install it: pip install 'agentic-spliceai[{packages[0]}]', or give the path of the weights."
    return "Set AGENTIC_SPLICEAI_MIRROR to a folder that has it, or give an explicit path."


def _download(url: str, part: Path, what: str, progress: Progress | None) -> None:
    """Fetch `url` into `part`, going on where an earlier attempt broke off."""
    last: Exception | None = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(0.2 * 2**attempt)
        try:
            _download_once(url, part, progress)
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            if error.code == 416:  # what is on disk is longer than the file, or already whole but unverified
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 429):
                raise ResourceError(
                    f"{url} ({what}) answered {error.code} {error.reason}.", "Give an explicit path or set a mirror."
                ) from error
            last = error
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            last = error
        except OSError as error:
            raise ResourceError(
                f"Cannot write {part}: {error.strerror}.", "Free space or set AGENTIC_SPLICEAI_DATA_DIR."
            ) from error
        else:
            return
    raise ResourceError(
        f"{url} ({what}) could not be fetched: {getattr(last, 'reason', last)}.",
        "Check the network, set AGENTIC_SPLICEAI_MIRROR, or give an explicit path.",
    ) from last


def _download_once(url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=60) as response:
        if have and response.status != 206:
            have = 0  # the server starts from the beginning
        total = _total(response.headers, have)
        done = have
        with part.open("ab" if have else "wb") as handle:
            while chunk := response.read(_CHUNK):
                handle.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(PurePosixPath(url).name, done, total)
    if total is not None and done < total:
        raise ConnectionError(f"connection closed after {done} of {total} bytes")


def _total(headers: HTTPMessage, have: int) -> int | None:
    length = headers.get("Content-Length")
    return have + int(length) if length is not None and length.isdigit() else None


def _gunzip(part: Path, target: Path, what: str) -> Path:
    import gzip

    unpacked = target.with_name(target.name + ".unpacking")
    try:
        with gzip.open(part, "rb") as source, unpacked.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
    except (OSError, EOFError, zlib.error) as error:
        unpacked.unlink(missing_ok=True)
        raise ResourceError(f"The download for {what} cannot be unpacked: {error}.", "Run again.") from error
    part.unlink()
    return unpacked
