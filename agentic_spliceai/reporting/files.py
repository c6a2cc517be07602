"""Reports as files: HTML, Markdown and JSON side by side, each written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting.html import render_html
from agentic_spliceai.reporting.markdown import render_markdown
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks
from agentic_spliceai.splice_engine.errors import ResourceError, SettingError

_LONGEST_STEM = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class ReportPaths:
    """Where the three forms of a report are."""

    html: Path
    markdown: Path
    json: Path


def report_stem(interpretation: Interpretation) -> str:
    """Return a file name without suffix: variant and first part of the run's id, `chr11-47343158-C-T-4f1c9a2e`.

    A variant with long alleles is cut and keeps a digest, so that two of them never share a name.
    """
    full = str(interpretation.variant)
    name = _UNSAFE.sub("_", full).lstrip(".-") or "variant"
    if len(name) > _LONGEST_STEM or name != full:
        name = f"{name[: _LONGEST_STEM - 11]}-{hashlib.sha256(full.encode()).hexdigest()[:10]}"
    run = _UNSAFE.sub("", interpretation.run_id.split("-")[0])[:12]
    return f"{name}-{run}" if run else name


def render_report(
    interpretation: Interpretation,
    tracks: Mapping[str, VariantTracks],
    out_dir: Path,
    *,
    stem: str | None = None,
) -> ReportPaths:
    """Write `<stem>.html`, `<stem>.md` and `<stem>.json`.

    All three are rendered before the first is written, and each is written beside its place and then renamed: a reader
    never sees half a file. Files of the same name are replaced.

    Parameters
    ----------
    interpretation
        What to show. The JSON form is `interpretation.model_dump_json(indent=2)` and loads back equal.
    tracks
        Per-position scores by `gene_id`, see `render_html`.
    out_dir
        Folder, made if it is not there.
    stem
        File name without suffix: letters, digits, `.`, `_` and `-`. By default `report_stem`.

    Raises
    ------
    SettingError
        If `stem` is no plain file name.
    UnknownGeneError
        If tracks are given for a gene that the interpretation does not hold.
    ResourceError
        If a file cannot be written.
    """
    stem = report_stem(interpretation) if stem is None else stem
    if _STEM.fullmatch(stem) is None:
        raise SettingError(
            f"report name {stem[:80]!r} is no plain file name",
            "Use up to 200 letters, digits, '.', '_' and '-', starting with a letter, a digit or '_'.",
        )
    texts = {
        "html": render_html(interpretation, tracks),
        "md": render_markdown(interpretation, tracks),
        "json": interpretation.model_dump_json(indent=2),
    }
    paths = {suffix: out_dir / f"{stem}.{suffix}" for suffix in texts}
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            _write_whole(paths[suffix], text)
    except OSError as error:
        raise ResourceError(
            f"the report cannot be written to {out_dir}: {error.strerror or error}",
            "Give a folder that can be written to and has space.",
        ) from error
    return ReportPaths(html=paths["html"], markdown=paths["md"], json=paths["json"])


def _write_whole(path: Path, text: str) -> None:
    # Not tempfile: its files are readable by their owner only, and a report is there to be shared.
    beside = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
