"""The report as Markdown: readable in a terminal as it is, and with tables where it is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting.view import (
    CODES_NOTE,
    DEMO_NOTE,
    NO_PLOT,
    RESEARCH_USE,
    Badge,
    ChangeView,
    CodesView,
    Fact,
    GeneView,
    SummaryView,
    build_view,
    tracks_by_gene,
)
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks

_SPECIAL = re.compile(r"[\\`*\[\]|~@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINK = re.compile(r"(?i)(:)(?=//)|(?<=\bwww)(\.)")
# Marks that mean something only at the start of a block.
_BLOCK = re.compile(r"(?:#{1,6}|[+-]|\d{1,9}[.)])(?=\s|$)|>|(?:=+|-+)\s*$")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it stands: no markup, HTML, link or mention comes out of it."""
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(lambda match: f"\\{match.group()}", text)
    text = _LINK.sub(lambda match: f"\\{match.group()}", text)
    return text


def paragraph(text: str) -> str:
    """Return `escape(text)` that starts no heading, list, quotation or rule either."""
    escaped = escape(text)
    block = _BLOCK.match(escaped)
    if block is None:
        return escaped
    # Of a list number, its dot is what makes the list.
    cut = block.end() - 1 if escaped[0].isdigit() else 0
    return f"{escaped[:cut]}\\{escaped[cut:]}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Return the lines of a table, its columns padded; `right` names the right-aligned ones. Cells are escaped here."""
    cells = [[escape(cell) or " " for cell in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    to_right = set(right)

    def line(row: Sequence[str]) -> str:
        padded = (c.rjust(w) if i in to_right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        return f"| {' | '.join(padded)} |"

    rule = (f"{'-' * (w - 1)}:" if i in to_right else "-" * w for i, w in enumerate(widths))
    return [line(cells[0]), f"| {' | '.join(rule)} |", *(line(row) for row in cells[1:])]


def _badge(badge: Badge) -> str:
    return f"{badge.marks} {badge.label}"


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {paragraph(line)}" for line in lines]


def _facts(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    short = [(fact, ", ".join(d if len(d) <= 16 else f"{d[:12]}…" for d in fact.digests)) for fact in facts]
    return [(fact.name, fact.value + digests) for fact, digests in short]


def _changes(rows: Sequence[ChangeView]) -> list[str]:
    return table(
        ("Change", "Strength", "Raw Δ", "Masked Δ", "REF", "ALT", "Position", "Offset", "Along the transcript", "Site"),
        [(r.kind, _badge(r.badge), r.raw, r.masked, r.ref, r.alt, r.position, r.offset, r.along, r.site) for r in rows],
        right=range(2, 8),
    )


def _gene(gene: GeneView, has_plot: bool) -> list[str]:
    lines = ["", f"## {escape(gene.name)}, {gene.strand}", ""]
    if gene.verdict:
        lines += [paragraph(gene.verdict), ""]
    place = [gene.gene_id, f"transcript {gene.transcript} ({gene.others})", gene.hgvs_c, gene.region]
    lines += [paragraph(" · ".join(part for part in place if part)), ""]
    if gene.other_names:
        lines += [paragraph(f"On its other transcripts, which were not examined: {gene.other_names}"), ""]
    lines += [paragraph("The plot is in the HTML report." if has_plot else NO_PLOT), ""]
    lines += ["### What may happen to the transcript"]
    for event in gene.events:
        second = " (alternative reading of the same scores)" if event.alternative else ""
        lines += ["", f"**{event.title}**, {_badge(event.badge)}{second}", "", paragraph(event.description)]
        if event.facts:
            lines += ["", *table(("", "Value"), _facts(event.facts))]
    lines += ["", "### Gains and losses of splice sites", ""]
    lines += [f"Largest change of each kind in {escape(gene.window)}. Positions 1-based, plus strand.", ""]
    lines += _changes(gene.changes)
    lines += ["", "### Meta-layer", "", *_bullets(gene.meta)]
    if gene.codes is not None:
        lines += _codes(gene.codes)
    lines += ["", f"### Context and limits for {escape(gene.name)}", "", *_bullets(gene.unknowns)]
    return lines


def _codes(codes: CodesView) -> list[str]:
    lines = ["", "### ACMG/ClinGen codes that rules suggest", "", paragraph(CODES_NOTE)]
    for code in codes.codes:
        lines += ["", f"**Suggestion: {escape(code.label)}** ({escape(code.strength)})", "", paragraph(code.why)]
        if code.questions:
            lines += ["", "Not known to this program:", "", *_bullets(code.questions)]
        lines += ["", paragraph(f"Rule {code.rule} · {code.citation}")]
    if codes.notes:
        lines += ["", *_bullets(codes.notes)]
    if not codes.codes and not codes.notes:
        lines += ["", "No rule fits."]
    return lines


def _summary(summary: SummaryView) -> list[str]:
    """Return the summary; a number in brackets after a value leads to its row in the table of evidence."""
    told = " ".join(
        "".join(escape(part.text) + (f" \\[{part.number}\\]" if part.number else "") for part in claim)
        for claim in summary.claims
    )
    lines = ["", "## Summary", "", told, "", f"Written by {escape(summary.author)}; numbers in brackets: the evidence."]
    if summary.refused:
        lines += ["", f"Texts of a language model that did not pass the check against the evidence: {summary.refused}."]
    return lines


def _evidence(summary: SummaryView) -> list[str]:
    rows = [
        (
            str(item.number),
            item.statement,
            item.display,
            " ".join((item.source, *(d[:12] for d in item.digests))),
            item.id,
        )
        for item in summary.evidence
    ]
    lines = ["", "## Evidence of the summary", "", *table(("No.", "Fact", "Value", "Source", "Id"), rows, right=(0,))]
    return [*lines, "", f"Further facts in the JSON form: {summary.further}."] if summary.further else lines


def render_markdown(interpretation: Interpretation, tracks: Mapping[str, VariantTracks]) -> str:
    """Return the report as Markdown; plots are left to the HTML form.

    Parameters
    ----------
    interpretation
        What to show. All its text is escaped.
    tracks
        As for `render_html`; a gene without tracks has no plot there, and this says so too.

    Raises
    ------
    UnknownGeneError
        If tracks are given for a gene that the interpretation does not hold.
    """
    view = build_view(interpretation)
    by_gene = tracks_by_gene(interpretation, tracks)
    lines = [f"# Splicing report: {escape(view.title)}", ""]
    if view.is_demo:
        lines += [f"> **DEMO.** {DEMO_NOTE}", ""]
    lines += [paragraph(" · ".join([view.gene_names, *view.hgvs])), ""]
    lines += [paragraph(" · ".join([view.build, view.kind, view.vcf, view.date])), ""]
    if view.given != view.vcf:
        lines += [f"Given as “{escape(view.given)}”", ""]
    lines += [f"**Verdict.** {escape(view.verdict)}", "", f"{_badge(view.badge)}, by {escape(view.scale)}"]
    if view.summary is not None:
        lines += _summary(view.summary)
    if len(view.genes) > 1:
        rows = [(g.name, g.strand, g.transcript, g.top_event, _badge(g.badge), g.top_score) for g in view.genes]
        header = ("Gene", "Strand", "Transcript", "Event", "Strength", "Largest raw Δ")
        lines += ["", "## Genes at this position", "", *table(header, rows, right=(5,))]
    for shown, gene in zip(view.genes, interpretation.genes, strict=True):
        lines += _gene(shown, by_gene[gene.gene_id] is not None)
    if view.unknowns:
        lines += ["", "## What was not known", "", *_bullets(view.unknowns)]
    if view.summary is not None:
        lines += _evidence(view.summary)
    lines += ["", "## Where the numbers come from"]
    for source in view.provenance:
        lines += ["", *table((f"Scores of {source.genes}", "Value"), _facts(source.facts))]
    lines += ["", *table(("This run", "Value"), [*_facts(view.run), *_facts(view.timings)])]
    lines += ["", "## How to read this", "", *_bullets(view.reading), "", "---", "", paragraph(RESEARCH_USE)]
    return "\n".join(lines) + "\n"
