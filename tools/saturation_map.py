"""From the rows of a saturation to its picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.base_layer.results import Provenance, SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.hgvs import hgvs_c
from agentic_spliceai.splice_engine.genome.sequence import BASES
from agentic_spliceai.splice_engine.genome.types import Interval, Transcript, Variant
from agentic_spliceai.tools.saturation import Place
from agentic_spliceai.tools.saturation_rows import Rows
from agentic_spliceai.tools.whole_file import write_whole

if TYPE_CHECKING:
    from agentic_spliceai.reporting.saturation_effects import Effects

_SUFFIXES = (".png", ".svg", ".html")


def check_plot(path: str) -> None:
    """Refuse a picture whose suffix names no format.

    Raises
    ------
    SettingError
        If it is none of .png, .svg and .html.
    """
    if Path(path).suffix not in _SUFFIXES:
        raise SettingError(f"cannot draw {path}: its suffix names no format.", "Use .png, .svg or .html.")


class MapBuilder:
    """Collects the gains and losses of one gene along a place, as rows pass by.

    The gene is that of the place's transcript, or else the one that most of the place lies in.

    Parameters
    ----------
    place
        What is saturated.
    bundle
        Genome and annotation.
    """

    def __init__(self, place: Place, bundle: GenomeBundle) -> None:
        from agentic_spliceai.reporting.saturation_effects import Effects

        self._place, self._bundle = place, bundle
        genes = bundle.annotation.genes_at(place.interval.contig, place.interval.start, place.interval.end)
        self._transcript = place.transcript or _most_of(place.interval, [gene.representative for gene in genes])
        self._others = len({gene.name for gene in genes} - {self._transcript.gene_name})
        shape = len(place.interval), len(BASES)
        self._gain, self._loss = Effects.empty(shape), Effects.empty(shape)

    def add(self, rows: Rows) -> None:
        """Take rows."""
        ours = rows["gene"] == self._transcript.gene_name
        at = rows["position"][ours].astype(np.int64)
        column = np.searchsorted(list(BASES), rows["alt"][ours])
        for effects, kind in ((self._gain, "g"), (self._loss, "l")):
            self._put(effects, rows, ours, at, column, kind)

    def _put(
        self, effects: Effects, rows: Rows, ours: np.ndarray, at: np.ndarray, column: np.ndarray, kind: str
    ) -> None:
        donor, acceptor = rows[f"ds_d{kind}"][ours], rows[f"ds_a{kind}"][ours]
        donors = donor > acceptor
        where = at - self._place.interval.start - 1, column
        effects.score[where] = np.where(donors, donor, acceptor)
        effects.site[where] = np.where(donors, SpliceClass.DONOR, SpliceClass.ACCEPTOR)
        effects.position[where] = at + np.where(donors, rows[f"dp_d{kind}"][ours], rows[f"dp_a{kind}"][ours])

    def save(self, path: str, provenance: Provenance, *, masked: bool) -> None:
        """Draw, and write the file in the format of its suffix; an earlier one is replaced by a whole one."""
        from agentic_spliceai.reporting.saturation_effects import SaturationMap
        from agentic_spliceai.reporting.saturation_plot import plot_saturation, saturation_page

        place = self._place.interval
        picture = plot_saturation(
            SaturationMap(
                contig=place.contig,
                start=place.start,
                bases=self._bundle.genome.fetch(place),
                transcript=self._transcript,
                build=provenance.build,
                gain=self._gain,
                loss=self._loss,
                thresholds=provenance.thresholds,
                title=self._place.what,
                footer=_footer(provenance, masked, self._others),
            ),
            name=self._name,
        )
        # A link goes on pointing to where it did.
        target = Path(os.path.realpath(Path(path).expanduser()))
        match Path(path).suffix:
            case ".png":
                data = picture.png()
            case ".svg":
                data = picture.svg().encode()
            case _:
                data = saturation_page(picture).encode()
        write_whole(target, lambda handle: handle.write(data), "Give another file with --plot.")

    def _name(self, position: int, alt: str) -> str:
        """Return a change as a label names it: `c.1227-13G>A`, or on the genome where the transcript has no number."""
        place = self._place.interval
        ref = self._bundle.genome.fetch(Interval(contig=place.contig, start=position - 1, end=position))
        try:
            variant = Variant(contig=place.contig, position=position, ref=ref, alt=alt)
            return hgvs_c(variant, self._transcript, self._bundle.genome).rpartition(":")[2]
        except SpliceEngineError:
            return f"g.{position}{ref}>{alt}"


def _most_of(interval: Interval, transcripts: list[Transcript]) -> Transcript:
    def shared(transcript: Transcript) -> int:
        return min(transcript.end, interval.end) - max(transcript.start, interval.start)

    return max(transcripts, key=shared)


def _footer(provenance: Provenance, masked: bool, others: int) -> tuple[str, ...]:
    weights = ", ".join(digest[:8] for digest in provenance.weights_sha256)
    rule = "masked" if masked else "raw"
    lines = [
        f"{provenance.predictor} {provenance.version} (weights sha256 {weights}), changes within "
        f"{provenance.distance} nt, {rule} scores, {provenance.precision}; agentic-spliceai {__version__}",
        f"annotation: {provenance.annotation_source} (sha256 {provenance.annotation_sha256[:8]}); dotted: thresholds "
        f"{provenance.thresholds.weak:g}, {provenance.thresholds.moderate:g}, {provenance.thresholds.strong:g} "
        f"({provenance.thresholds.source})",
    ]
    if others:
        lines.append(f"{others} other gene{'s' if others > 1 else ''} here: in the table, not in this picture")
    return tuple(lines)
