"""The locus plot: REF and ALT splice-site probability over the exon model, and the bases around the change."""

from __future__ import annotations

from matplotlib.figure import Figure

from agentic_spliceai.records.interpretation import GeneInterpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_bases import BasesPanel
from agentic_spliceai.reporting.plot_canvas import Canvas, draw_key, plain
from agentic_spliceai.reporting.plot_layout import (
    MIN_PROBABILITY,
    Stem,
    align_columns,
    changes_to_label,
    select_stems,
    unseen_runs,
    zoom_columns,
)
from agentic_spliceai.reporting.plot_window import WindowPanel
from agentic_spliceai.reporting.svg import drawing_settings, figure_to_svg
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks
from agentic_spliceai.splice_engine.errors import SettingError

_HEIGHT = 596.0
_WIDTH = 720.0


def plot_locus(gene: GeneInterpretation, tracks: VariantTracks, *, prefix: str = "plot-") -> str:
    """Draw one gene's REF and ALT probabilities as SVG text.

    Everything runs 5' to 3' along the transcript; on a minus-strand gene genomic positions fall from left to right.
    The same input gives the same bytes.

    Parameters
    ----------
    gene
        The gene's interpretation: exon model, changes to label, events.
    tracks
        Its per-position probabilities.
    prefix
        Put before every id of the SVG, so that several plots live in one page. Stems are
        `<prefix>stem-<ref|alt>-<donor|acceptor>-<position>-<inserted base>`, those of the base-level panel
        `<prefix>zoom-stem-...`.

    Returns
    -------
    str
        An `svg` element, without XML declaration.

    Raises
    ------
    SettingError
        If the tracks are of another strand or another place than the gene's scores.
    """
    _check_belong(gene, tracks)
    stems, left_out = select_stems(tracks)
    columns = align_columns(tracks)
    zoom = zoom_columns(gene, columns)
    with drawing_settings():
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), facecolor="white")
        canvas = Canvas(figure, _WIDTH, _HEIGHT)
        draw_key(canvas, top=2, unseen=bool(unseen_runs(tracks.ref)))
        WindowPanel(canvas, gene, tracks, stems, changes_to_label(gene)).draw(top=20, zoom=zoom)
        BasesPanel(canvas, gene, zoom, stems).draw(top=352)
        return figure_to_svg(
            figure,
            prefix=prefix,
            title=plain(f"Splice-site probability of REF and ALT along {gene.gene_name}"),
            description=plain(_description(gene, tracks, stems, left_out)),
            tooltips={f"{panel}{stem.gid}": _tip(stem) for stem in stems for panel in ("", "zoom-")},
        )


def _check_belong(gene: GeneInterpretation, tracks: VariantTracks) -> None:
    first, last = int(tracks.ref.positions[0]), int(tracks.ref.positions[-1])
    variant = gene.delta.variant
    if tracks.ref.strand is gene.delta.strand and first <= variant.position <= last:
        return
    raise SettingError(
        f"the tracks ({first:,} to {last:,}, {words.strand_words(tracks.ref.strand)}) are not those of {variant} on "
        f"{words.clean(gene.gene_name)} ({words.strand_words(gene.delta.strand)})",
        "Give the tracks that were scored with this gene's deltas.",
    )


def _tip(stem: Stem) -> str:
    inserted = f", inserted base {stem.insert_offset}" if stem.insert_offset else ""
    return f"{stem.allele.upper()} {stem.site.name.lower()} {stem.probability:.3f} at {stem.position:,}{inserted}"


def _description(gene: GeneInterpretation, tracks: VariantTracks, stems: tuple[Stem, ...], left_out: int) -> str:
    first, last = int(tracks.ref.positions[0]), int(tracks.ref.positions[-1])
    changes = [
        f"{words.CHANGE_WORDS[c.kind].lower()} {c.score:.2f} at {c.position:,} "
        f"(REF {c.ref_score:.2f}, ALT {c.alt_score:.2f})"
        for c in changes_to_label(gene)
    ]
    shown = f"{len(stems):,} probabilities of {MIN_PROBABILITY:g} or more are drawn"
    if left_out:
        shown += f", {left_out:,} smaller ones of these are left out"
    return (
        f"{words.place(gene.delta.variant.contig, first)} to {last:,}, {words.strand_words(gene.delta.strand)}, "
        f"5' to 3' from left to right, REF upwards and ALT downwards; {shown}. "
        f"Marked: {'; '.join(changes) if changes else 'no change'}. The table below holds the numbers."
    )
