"""The three forms of a report: complete, safe, stable, and readable back."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.files import render_report, report_stem
from agentic_spliceai.reporting.html import render_html
from agentic_spliceai.reporting.markdown import render_markdown
from agentic_spliceai.reporting.terminal import terminal_summary
from agentic_spliceai.reporting.view import NO_PLOT, RESEARCH_USE
from agentic_spliceai.splice_engine.errors import ResourceError, SettingError, UnknownGeneError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Variant
from tests.reporting import toys

VOID = {"meta", "br", "path", "use", "rect"}
HOSTILE = (
    "<script>alert(1)</script>\"' onload=x|`[a](javascript:b)` {{ 7*7 }} &amp; https://evil.example \u202e\x00\n# h"
)


class Page(HTMLParser):
    """Collects what a test asks a page for; complains about tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or tag in {"path", "use", "rect"}:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@cache
def page_of(name: str) -> tuple[str, Page]:
    """A toy's page, rendered and parsed once for all the tests that only read it."""
    toy = hostile_toy() if name == "hostile" else toys.ALL[name]()
    html = render_html(toy.interpretation, toy.tracks)
    return html, Page(html)


def page(toy: Callable[[], toys.Toy]) -> Page:
    return page_of(toy.__name__)[1]


def hostile_toy() -> toys.Toy:
    """Every free text of an interpretation replaced by something that wants out."""
    toy = toys.skipping()
    old = toy.interpretation
    gene = old.genes[0]
    provenance = gene.delta.provenance.model_copy(
        update={
            "predictor": HOSTILE, "version": HOSTILE, "weights_sha256": (HOSTILE,), "genome_id": HOSTILE,
            "annotation_source": HOSTILE, "annotation_sha256": HOSTILE,
            "thresholds": gene.delta.provenance.thresholds.model_copy(update={"source": HOSTILE, "calibrated": False}),
        }
    )  # fmt: skip
    event = gene.consequence.primary
    assert event.effect is not None
    event = event.model_copy(
        update={
            "description": HOSTILE,
            "effect": event.effect.model_copy(update={"hgvs_p": HOSTILE, "nmd_reason": HOSTILE}),
        }
    )
    assert gene.delta_prediction is not None
    gene = gene.model_copy(
        update={
            "gene_name": HOSTILE,
            "transcript": gene.transcript.model_copy(update={"id": HOSTILE}),
            "delta": gene.delta.model_copy(update={"provenance": provenance}),
            "triage": gene.triage.model_copy(update={"message": HOSTILE}),
            "delta_prediction": gene.delta_prediction.model_copy(update={"message": HOSTILE}),
            "consequence": gene.consequence.model_copy(
                update={
                    "events": (event,), "verdict": HOSTILE, "region": HOSTILE, "hgvs_c": HOSTILE, "limits": (HOSTILE,)
                }
            ),
        }
    )  # fmt: skip
    new = old.model_copy(
        update={
            "genes": (gene,), "text": HOSTILE, "run_id": "../" + HOSTILE, "verdict": HOSTILE, "unknowns": (HOSTILE,),
            "timings": {HOSTILE: 1.0}, "software_version": HOSTILE,
        }
    )  # fmt: skip
    return toys.Toy(new, toy.tracks)


# ---------------------------------------------------------------- what must be on the page


@pytest.mark.parametrize("name", sorted(toys.ALL))
@pytest.mark.parametrize("form", ["html", "markdown"])
def test_every_number_that_a_reader_needs_is_shown(name: str, form: str) -> None:
    toy = toys.ALL[name]()
    run = toy.interpretation
    markdown = " ".join(render_markdown(run, toy.tracks).replace("\\", "").split())
    text = page_of(name)[1].text if form == "html" else markdown
    wanted = [
        run.run_id, run.software_version, run.verdict, words.genomic_name(run.variant), "21 November 2025, 03:11 UTC",
        *run.unknowns, RESEARCH_USE,
    ]  # fmt: skip
    wanted += [f"{seconds:.2f} s" for seconds in run.timings.values()]
    for gene in run.genes:
        delta, consequence, source = gene.delta, gene.consequence, gene.delta.provenance
        wanted += [gene.gene_name, gene.gene_id, gene.transcript.id, consequence.region, *consequence.limits]
        wanted += [consequence.verdict, consequence.hgvs_c or "", gene.triage.message]
        for change in delta.raw.changes():
            wanted += [
                f"{change.position:,}", f"{change.ref_score:.2f}", f"{change.alt_score:.2f}", f"{change.score:.2f}",
                f"{change.offset:+,}".replace("-", "−") if change.offset else "0",
                "annotated" if change.annotated else "not annotated",
            ]  # fmt: skip
        wanted += [f"{change.score:.2f}" for change in delta.masked.changes()]
        for event in consequence.events:
            wanted += [event.description]
            if event.interval is not None:
                wanted += [f"{event.interval.start + 1:,}", f"{event.interval.end:,}", f"{len(event.interval):,} nt"]
                wanted += [f"{event.length_change:+,} nt".replace("-", "−")]
            if event.effect is not None:
                effect = event.effect
                wanted += [effect.hgvs_p or "", effect.nmd_reason]
                numbers = (effect.protein_length_ref, effect.first_changed_residue, effect.stop_residue)
                wanted += [f"{n:,}" for n in numbers if n is not None]
        wanted += [source.predictor, source.version, source.annotation_source, source.genome_id]
        wanted += [digest[:12] for digest in (*source.weights_sha256, source.annotation_sha256)]
        wanted += [f"{source.context:,} nt", f"{source.distance:,} nt", source.thresholds.source]
        wanted += [f"weak {source.thresholds.weak}, moderate {source.thresholds.moderate}"]
        context = delta.context
        parts = (context.real, context.outside_gene, context.no_sequence, context.past_contig_end)
        wanted += [f"{context.total:,} nt", *(f"{part:,}" for part in parts if part)]
    assert [item for item in wanted if item not in text] == []


def test_table_of_changes_row_by_row() -> None:
    rows = [row for row in page(toys.shift).rows if row and row[0].startswith(("Acceptor", "Donor"))]
    assert rows[0] == [
        "Acceptor gain", "●●●Strong", "0.92", "0.92", "0.01", "0.93", "47,343,156", "−22 nt downstream",
        "not annotated",
    ]  # fmt: skip
    assert rows[2][:4] == ["Donor gain", "○○○Below threshold", "0.02", "0.00"]
    assert rows[2][-1] == "annotated"
    assert [row[0] for row in rows] == ["Acceptor gain", "Acceptor loss", "Donor gain", "Donor loss"]


def test_a_masked_change_at_another_place_has_a_row_of_its_own() -> None:
    toy = toys.shift()
    gene = toy.interpretation.genes[0]
    elsewhere = gene.delta.raw.donor_gain.model_copy(
        update={
            "score": 0.31,
            "position": 47343100,
            "offset": -58,
            "annotated": False,
            "ref_score": 0.02,
            "alt_score": 0.33,
        }
    )
    delta = gene.delta.model_copy(update={"masked": gene.delta.masked.model_copy(update={"donor_gain": elsewhere})})
    run = toy.interpretation.model_copy(update={"genes": (gene.model_copy(update={"delta": delta}),)})
    rows = [row for row in Page(render_html(run, toy.tracks)).rows if row and row[0] == "Donor gain"]
    assert [(row[2], row[3], row[6]) for row in rows] == [("0.02", "–", "47,343,031"), ("–", "0.31", "47,343,100")]


def test_both_strands_are_shown_most_affected_first() -> None:
    text = page(toys.opposite).text
    assert text.index("FWD1, plus strand") < text.index("REV2, minus strand")
    overview = [row for row in page(toys.opposite).rows if row and row[0] in {"FWD1", "REV2"}]
    assert overview[0][3:] == ["Intron retention", "●●●Strong", "0.89"]
    assert overview[1][3:] == ["No splice change predicted", "○○○None", "0.23"]
    assert text.count("Scores of FWD1, REV2") == 1


def test_demo_is_announced_and_only_there() -> None:
    assert "synthetic minigene" in page(toys.demo).text
    assert "synthetic minigene" in render_markdown(toys.demo().interpretation, {})
    assert "DEMO" not in page(toys.shift).text


def test_thresholds_that_are_not_the_predictors_own_are_named_as_such() -> None:
    assert page(toys.shift).text.count("Not calibrated for openspliceai") == 2
    assert "not calibrated for it" in page(toys.shift).text
    assert "ot calibrated for" not in page(toys.skipping).text
    assert "Calibrated for spliceai" in page(toys.skipping).text


def test_meta_layer_speaks_or_says_that_it_cannot() -> None:
    assert "There is no trained meta-layer model yet." in page(toys.shift).text
    told = page(toys.skipping).text
    assert "0.97 (over seeds 0.91 to 0.99), at or above the threshold 0.42" in told
    assert "donor −0.91, acceptor −0.37" in told


def test_an_alternative_reading_is_marked() -> None:
    assert page(toys.shift).text.count("alternative reading of the same scores") == 1
    assert page(toys.skipping).text.count("alternative reading of the same scores") == 0


def test_missing_tracks_are_said_in_every_form_and_carried_ones_are_used() -> None:
    toy = toys.opposite()
    half = Page(render_html(toy.interpretation, {"ID_FWD1": toy.tracks["ID_FWD1"]}))
    assert half.text.count(NO_PLOT) == 1
    assert sum(tag == "svg" for tag, _ in half.tags) == 1
    assert render_markdown(toy.interpretation, {}).count(NO_PLOT) == 2
    gene = toys.shift().interpretation.genes[0]
    carrying = gene.model_copy(
        update={"delta": gene.delta.model_copy(update={"tracks": toys.shift().tracks["ID_MYBPC3"]})}
    )
    run = toys.shift().interpretation.model_copy(update={"genes": (carrying,)})
    assert render_html(run, {}) == render_html(toys.shift().interpretation, toys.shift().tracks)


def test_tracks_of_an_unknown_gene_are_refused() -> None:
    toy = toys.shift()
    with pytest.raises(UnknownGeneError, match="TYPO"):
        render_html(toy.interpretation, {"TYPO": toy.tracks["ID_MYBPC3"]})


# ---------------------------------------------------------------- safety and form


@pytest.mark.parametrize("name", [*sorted(toys.ALL), "hostile"])
def test_page_asks_nothing_of_the_network_and_runs_nothing(name: str) -> None:
    html, parsed = page_of(name)
    policy = next(a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    ids = [a["id"] for _, a in parsed.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.tags:
        assert tag not in {"script", "iframe", "object", "embed", "link", "img", "form", "base"}
        for attribute, value in attributes.items():
            assert not attribute.startswith("on")
            assert attribute not in {"src", "srcset", "action", "data"}
            if attribute.endswith("href"):
                assert (value or "")[0] == "#"
                assert (value or "")[1:] in ids
            # Names in words for a pointer or a screen reader are text like any other.
            if attribute not in {"title", "aria-label"}:
                assert "://" not in (value or "")
    styles = re.search(r"<style>(.*?)</style>", html, re.S)
    assert styles is not None
    assert not re.search(r"@import|url\(|expression", styles.group(1))
    assert len(html.encode()) < 400_000


def test_hostile_text_is_shown_as_text() -> None:
    toy = hostile_toy()
    html, parsed = page_of("hostile")
    shown = "<script>alert(1)</script>\"' onload=x|`[a](javascript:b)` {{ 7*7 }} &amp; https://evil.example # h"
    assert parsed.text.count(shown) > 10
    assert "\u202e" not in html
    assert "\x00" not in html
    markdown = render_markdown(toy.interpretation, toy.tracks)
    assert "<script" not in markdown
    assert "https://" not in markdown
    assert re.search(r"(?<!\\)\[a", markdown) is None
    assert "\n# h" not in markdown


def test_same_input_same_bytes() -> None:
    one, two = toys.opposite(), toys.opposite()
    assert render_html(one.interpretation, one.tracks) == render_html(two.interpretation, two.tracks)
    assert render_markdown(one.interpretation, one.tracks) == render_markdown(two.interpretation, two.tracks)


def test_tables_are_accessible() -> None:
    parsed = page(toys.opposite)
    tables = sum(tag == "table" for tag, _ in parsed.tags)
    assert sum(tag == "caption" for tag, _ in parsed.tags) == tables == 5
    assert all(a.get("scope") in {"row", "col"} for tag, a in parsed.tags if tag == "th")
    assert ("html", {"lang": "en"}) in parsed.tags


@pytest.mark.parametrize("name", [*sorted(toys.ALL), "hostile"])
def test_markdown_tables_are_well_formed(name: str) -> None:
    toy = hostile_toy() if name == "hostile" else toys.ALL[name]()
    lines = render_markdown(toy.interpretation, toy.tracks).splitlines()
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("|"):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    tables = [block for block in blocks if block]
    assert len(tables) >= 3
    for table in tables:
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(columns) == 1
        assert re.fullmatch(r"\|( -+:? \|)+", table[1])
        assert lines[lines.index(table[0]) - 1] == ""


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["shift", "insertion", "opposite", "demo"])
def test_files_are_written_and_json_loads_back_equal(name: str, tmp_path: Path) -> None:
    toy = toys.ALL[name]()
    paths = render_report(toy.interpretation, toy.tracks, tmp_path / "new" / "folder")
    stem = report_stem(toy.interpretation)
    assert [p.name for p in (paths.html, paths.markdown, paths.json)] == [f"{stem}.html", f"{stem}.md", f"{stem}.json"]
    assert sorted(p.name for p in paths.html.parent.iterdir()) == sorted(f"{stem}.{s}" for s in ("html", "md", "json"))
    assert Interpretation.model_validate_json(paths.json.read_text("utf-8")) == toy.interpretation
    assert paths.html.read_text("utf-8") == page_of(name)[0]


def test_a_failed_report_leaves_the_old_files_alone(tmp_path: Path) -> None:
    toy = toys.shift()
    old = render_report(toy.interpretation, toy.tracks, tmp_path, stem="r")
    before = old.html.read_bytes()
    with pytest.raises(SettingError):
        render_report(toy.interpretation, {"ID_MYBPC3": toys.skipping().tracks["ID_TP53"]}, tmp_path, stem="r")
    assert old.html.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_report_can_be_read_by_others(tmp_path: Path) -> None:
    toy = toys.nothing()
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("x")
    paths = render_report(toy.interpretation, toy.tracks, tmp_path)
    assert stat.S_IMODE(paths.html.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.parametrize("stem", ["../x", "a/b", "", ".hidden", "a b", "x" * 300, "a\n"])
def test_a_name_that_is_no_file_name_is_refused(stem: str, tmp_path: Path) -> None:
    toy = toys.nothing()
    with pytest.raises(SettingError, match="no plain file name"):
        render_report(toy.interpretation, toy.tracks, tmp_path, stem=stem)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError, match="file"):
        render_report(toys.nothing().interpretation, {}, tmp_path / "file" / "sub")


def test_stems_are_safe_short_and_distinct() -> None:
    assert report_stem(toys.shift().interpretation) == "chr11-47343158-C-T-4f1c9a2e"
    base = toys.shift().interpretation
    seen = set()
    for last in "CG":
        variant = Variant(contig="chr1/../x", position=9, ref="A", alt="A" * 300 + last)
        seen.add(report_stem(base.model_copy(update={"variant": variant, "run_id": "../../etc"})))
    assert len(seen) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", stem) for stem in seen)
    assert all("/" not in stem for stem in seen)


# ---------------------------------------------------------------- terminal and words


def test_terminal_summary_tells_verdict_events_and_files(tmp_path: Path) -> None:
    toy = toys.shift()
    paths = render_report(toy.interpretation, toy.tracks, tmp_path, stem="r")
    console = Console(width=160, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    with console.file:
        console.print(terminal_summary(toy.interpretation, paths))
    text = console.export_text()
    for item in (toy.interpretation.verdict, "Acceptor shift", "p.(Gly410AlafsTer12)", "47343156", "r.html", "0.74"):
        assert item in text
    assert "NM_other.1" in text


def test_terminal_summary_never_cuts_a_position(tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    with console.file:
        console.print(terminal_summary(toys.shift().interpretation))
    text = console.export_text()
    assert "47343156" in text
    assert "…" not in text


def test_terminal_summary_reads_no_markup(tmp_path: Path) -> None:
    toy = toys.shift()
    run = toy.interpretation.model_copy(update={"verdict": "[bold]x[/bold] [link=file:///]y[/link]"})
    console = Console(width=120, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    with console.file:
        console.print(terminal_summary(run))
    assert "[bold]x[/bold] [link=file:///]y[/link]" in console.export_text()


@pytest.mark.parametrize(
    ("ref", "alt", "name"),
    [
        ("C", "T", "chr1:g.100C>T"),
        ("CA", "TG", "chr1:g.100_101delinsTG"),
        ("C", "TG", "chr1:g.100delinsTG"),
        ("CAT", "C", "chr1:100 CAT>C"),
        ("C", "CAT", "chr1:100 C>CAT"),
    ],
)
def test_genomic_names(ref: str, alt: str, name: str) -> None:
    assert words.genomic_name(Variant(contig="chr1", position=100, ref=ref, alt=alt, build=GenomeBuild.GRCH38)) == name


@pytest.mark.parametrize(
    ("score", "shown"), [(0.2, "0.20"), (0.196, "0.196"), (0.1999, "0.1999"), (0.794, "0.79"), (0.7999, "0.7999")]
)
def test_rounding_never_carries_a_score_over_a_threshold(score: float, shown: str) -> None:
    assert words.delta(score, toys.THRESHOLDS) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 5, "0 %"), (5, 5, "100 %"), (1, 100_000, "under 0.1 %"), (99_999, 100_000, "over 99.9 %"), (1, 3, "33.3 %")],
)
def test_shares_are_not_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    assert words.share(part, whole) == shown


def test_a_date_without_zone_says_so() -> None:
    assert words.date_words(datetime(2025, 1, 2, 3, 4)) == "2 January 2025, 03:04 (time zone not recorded)"
