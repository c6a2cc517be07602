"""A summary for a terminal: verdict, events, changes, and where the report is."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting.files import ReportPaths
from agentic_spliceai.reporting.view import (
    DEMO_NOTE,
    RESEARCH_USE,
    Badge,
    CodesView,
    GeneView,
    SummaryView,
    build_view,
)

_STYLES = {"strong": "bold red", "moderate": "bold yellow", "weak": "bold cyan", "none": "dim"}
_FACTS = ("Protein change", "Reading frame", "Premature stop codon", "Nonsense-mediated decay")


def terminal_summary(interpretation: Interpretation, paths: ReportPaths | None = None) -> Group:
    """Return what to print with `rich` after a run.

    Parameters
    ----------
    interpretation
        What to show. Its text is never read as markup.
    paths
        Where the report's files are, if they were written.
    """
    view = build_view(interpretation)
    parts: list[RenderableType] = []
    if view.is_demo:
        parts.append(Text(f"DEMO  {DEMO_NOTE}", style="black on yellow"))
    head = Text(view.title, style="bold")
    for name in view.hgvs:
        head.append(f"  {name}", style="not bold")
    head.append(f"  {view.build}", style="not bold dim")
    verdict = Text(view.verdict)
    verdict.append("\n")
    verdict.append_text(_badge(view.badge))
    verdict.append(f"  by {view.scale}", style="dim")
    parts.append(Panel(verdict, title=head, title_align="left", padding=(0, 1)))
    if view.summary is not None:
        parts.append(_summary(view.summary))
    for gene in view.genes:
        parts.append(_events(gene))
        parts.append(_changes(gene))
        if gene.codes is not None:
            parts.append(_codes(gene, gene.codes))
        if gene.other_names:
            parts.append(_others(gene))
    if paths is not None:
        parts.append(_files(paths))
    parts.append(Text(RESEARCH_USE, style="dim"))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _summary(summary: SummaryView) -> Text:
    """Return the summary; a dim number after a value is that of its evidence in the report."""
    told = Text()
    for claim in summary.claims:
        for part in claim:
            told.append(part.text)
            if part.number:
                told.append(f"[{part.number}]", style="dim")
        told.append(" ")
    told.append(f"Summary by {summary.author}; the numbers in brackets are those of the evidence.", style="dim")
    if summary.refused:
        told.append(f" Texts of a language model that did not pass the check: {summary.refused}.", style="dim")
    return told


def _codes(gene: GeneView, codes: CodesView) -> Table:
    title = Text(f"{gene.name}: codes that rules suggest, none is assigned", style="bold")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=False, show_header=False)
    table.add_column("Code", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for code in codes.codes:
        why = Text(code.why)
        why.append(f"\n{code.rule}, {code.citation}", style="dim")
        table.add_row(Text(f"{code.label}?"), why)
    for note in codes.notes:
        table.add_row(Text("–", style="dim"), Text(note, style="dim"))
    if not codes.codes and not codes.notes:
        table.add_row(Text("–", style="dim"), Text("no rule fits", style="dim"))
    return table


def _others(gene: GeneView) -> Text:
    return Text(f"On other transcripts: {gene.other_names}", style="dim")


def _badge(badge: Badge) -> Text:
    return Text(f"{badge.marks} {badge.label}", style=_STYLES[badge.style])


def _title(gene: GeneView, what: str) -> Text:
    return Text(f"{gene.name}, {gene.strand}, {gene.transcript}: {what}", style="bold")


def _events(gene: GeneView) -> Table:
    table = Table(title=_title(gene, "events"), title_justify="left", box=None, pad_edge=False, expand=False)
    for name in ("Event", "Strength", "What happens"):
        table.add_column(name, header_style="dim", overflow="fold")
    for event in gene.events:
        facts = [f"{fact.name.lower()}: {fact.value}" for fact in event.facts if fact.name in _FACTS]
        told = Text("\n".join([event.description, *facts]))
        title = Text(event.title + (" (alternative)" if event.alternative else ""))
        table.add_row(title, _badge(event.badge), told)
    return table


def _changes(gene: GeneView) -> Table:
    table = Table(title=_title(gene, "gains and losses"), title_justify="left", box=None, pad_edge=False, expand=False)
    for name in ("Change", "Strength"):
        table.add_column(name, header_style="dim")
    # A position cut short is worse than a wrapped word.
    for name in ("Raw Δ", "Masked", "REF", "ALT", "Position", "Offset"):
        table.add_column(name, justify="right", header_style="dim", no_wrap=True)
    table.add_column("Site", header_style="dim")
    for row in gene.changes:
        cells = (row.raw, row.masked, row.ref, row.alt, row.position.replace(",", ""), row.offset, row.site)
        style = "dim" if row.badge.style == "none" else ""
        table.add_row(Text(row.kind), _badge(row.badge), *(Text(cell) for cell in cells), style=style)
    return table


def _files(paths: ReportPaths) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, path in (("Report", paths.html), ("Markdown", paths.markdown), ("JSON", paths.json)):
        table.add_row(Text(name, style="dim"), Text(str(path), overflow="fold"))
    return table
