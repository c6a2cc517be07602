"""One self-contained HTML page: no script, no request, readable on a screen, a phone and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting.plot import plot_locus
from agentic_spliceai.reporting.view import CODES_NOTE, DEMO_NOTE, NO_PLOT, RESEARCH_USE, build_view, tracks_by_gene
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("agentic_spliceai.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _template() -> Template:
    return _environment().get_template("report.html.j2")


def render_html(interpretation: Interpretation, tracks: Mapping[str, VariantTracks]) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    interpretation
        What to show. All its text is escaped: it may come from a file or from anyone.
    tracks
        Per-position scores by `gene_id`, for the plots. A gene without tracks, neither here nor in its `delta.tracks`,
        gets a line that says so in place of its plot.

    Raises
    ------
    UnknownGeneError
        If tracks are given for a gene that the interpretation does not hold.
    """
    view = build_view(interpretation)
    by_gene = tracks_by_gene(interpretation, tracks)
    plots: dict[str, Markup | None] = {}
    for shown, gene in zip(view.genes, interpretation.genes, strict=True):
        scores = by_gene[gene.gene_id]
        svg = None if scores is None else plot_locus(gene, scores, prefix=f"{shown.anchor}-")
        # The SVG was built by an XML writer, which escaped its text. In HTML it needs no namespace.
        plots[shown.anchor] = None if svg is None else Markup(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))
    environment = _environment()
    assert environment.loader is not None
    css = Markup(environment.loader.get_source(environment, "report.css")[0])
    return _template().render(
        view=view,
        plots=plots,
        css=css,
        demo_note=DEMO_NOTE,
        no_plot=NO_PLOT,
        codes_note=CODES_NOTE,
        research_use=RESEARCH_USE,
    )
