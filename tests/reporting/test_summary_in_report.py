"""How a report shows its summary, the evidence behind each value, and suggested codes."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from rich.console import Console

from agentic_spliceai.records.evidence import Claim, ClaimStatus
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.reporting.claims import verify_text
from agentic_spliceai.reporting.evidence import interpretation_evidence
from agentic_spliceai.reporting.html import render_html
from agentic_spliceai.reporting.markdown import render_markdown
from agentic_spliceai.reporting.summary import summarise_interpretation
from agentic_spliceai.reporting.terminal import terminal_summary
from agentic_spliceai.splice_engine.consequence.codes import CodeAssessment, CodeStrength, CodeSuggestion
from agentic_spliceai.splice_engine.consequence.place import CodingChange, Region, SplicePlace
from tests.reporting import toys
from tests.reporting.test_report import HOSTILE, Page

PVS1 = CodeSuggestion(
    code="PVS1",
    strength=CodeStrength.MODERATE,
    rule="pvs1-small-loss@1",
    citation="Abou Tayoun et al., Human Mutation 2018, doi 10.1002/humu.23626",
    why="The variant changes the canonical bases of the donor of intron 2.",
    open_questions=("Is loss of function how TP53 causes disease?",),
)
REFUSED = Claim(
    text="The score is 0.12345.",
    rendered="",
    evidence_ids=(),
    author="a-model",
    status=ClaimStatus.REFUSED,
    problems=("a number",),
)


def assessment(*suggestions: CodeSuggestion, notes: tuple[str, ...] = ()) -> CodeAssessment:
    return CodeAssessment(
        suggestions=suggestions,
        notes=notes,
        place=SplicePlace(region=Region.INTRON, coding=CodingChange.NONE),
        rules_version="1",
        rules_sha256="ab" * 32,
    )


def told(codes: CodeAssessment | None, *refused: Claim) -> Interpretation:
    """The toy of a skipped exon with its evidence and its summary by rules."""
    old = toys.skipping().interpretation
    run = old.model_copy(update={"genes": (old.genes[0].model_copy(update={"codes": codes}),)})
    evidence = interpretation_evidence(run)
    claims = tuple(verify_text(text, evidence) for text in summarise_interpretation(evidence))
    assert all(claim.status is ClaimStatus.VERIFIED for claim in claims)
    return run.model_copy(update={"evidence": evidence, "claims": (*claims, *refused)})


def page(run: Interpretation) -> Page:
    return Page(render_html(run, {}))


def printed(run: Interpretation) -> str:
    stream = StringIO()
    Console(width=200, file=stream).print(terminal_summary(run))
    return stream.getvalue()


def test_each_value_leads_to_its_evidence() -> None:
    run = told(assessment(PVS1))
    html = render_html(run, {})
    parsed = Page(html)
    links = [(a["href"] or "") for tag, a in parsed.tags if (a.get("href") or "").startswith("#evidence-")]
    rows = {a["id"] for tag, a in parsed.tags if tag == "tr" and a.get("id")}
    assert {link[1:] for link in links} == rows
    by_id = {item.id: item for item in run.evidence}
    shown = re.findall(r'<span class="fact">([^<]*)</span><sup><a href="#evidence-(\d+)"', html)
    assert len(shown) == len(links) > 10
    for value, number in shown:
        row = next(cells for cells in parsed.rows if cells[:1] == [number] and len(cells) == 5)
        evidence = by_id[row[4]]
        assert (row[1], row[2]) == (evidence.statement, evidence.display)
        assert value.replace("&gt;", ">") == evidence.display
        assert row[3].startswith(f"run:{run.run_id}")


@pytest.mark.parametrize("form", ["html", "markdown", "terminal"])
def test_the_summary_is_told_in_every_form(form: str) -> None:
    run = told(assessment(PVS1))
    text = {
        "html": lambda: page(run).text,
        "markdown": lambda: render_markdown(run, {}),
        "terminal": lambda: " ".join(printed(run).split()),
    }[form]()
    plain = re.sub(r"\s*\\?\[\d+\\?\]|\s(?=\s)", "", text)
    if form == "html":
        plain = re.sub(r" \d+(?=[ ;:.,)])", "", plain)
    assert "On TP53" in plain
    assert "exon skipping" in plain
    assert "PVS1_Moderate" in text.replace("\\_", "_")
    assert "rules" in text


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_codes_are_marked_as_suggestions_with_rule_and_citation(form: str) -> None:
    run = told(assessment(PVS1, notes=("At the canonical bases PP3 is not suggested.",)))
    text = page(run).text if form == "html" else render_markdown(run, {})
    assert "no code is assigned here" in text
    assert re.search(r"Suggestion:? PVS1_Moderate", text)
    assert "Rule pvs1-small-loss" in text
    assert "doi 10.1002/humu.23626" in text
    assert "Is loss of function how TP53 causes disease?" in text
    assert "PP3 is not suggested" in text


def test_the_terminal_does_not_state_a_code() -> None:
    text = printed(told(assessment(PVS1)))
    assert "PVS1_Moderate?" in text
    assert "none is assigned" in text


def test_without_a_fitting_rule_it_says_so() -> None:
    run = told(assessment())
    assert "No rule fits." in page(run).text
    assert "No rule fits." in render_markdown(run, {})
    assert "no rule fits" in printed(run)


def test_what_a_model_wrote_and_the_check_refused_is_counted_and_not_shown() -> None:
    run = told(None, REFUSED)
    for text in (page(run).text, render_markdown(run, {}), printed(run)):
        assert "did not pass the check" in text
        assert "0.12345" not in text
    assert "0.12345" in run.model_dump_json()


def test_a_record_without_summary_and_codes_is_still_read_and_shown() -> None:
    toy = toys.skipping()
    old = json.loads(toy.interpretation.model_dump_json())
    for name in ("evidence", "claims"):
        del old[name]
    del old["genes"][0]["codes"]
    run = Interpretation.model_validate_json(json.dumps(old))
    text = render_html(run, {})
    assert run.schema_version == "1"
    assert 'id="summary"' not in text
    assert "codes that rules suggest" not in text
    assert "Summary" not in printed(run)


def test_hostile_evidence_and_codes_are_shown_as_text() -> None:
    code = PVS1.model_copy(update={"why": HOSTILE, "citation": HOSTILE, "rule": HOSTILE, "open_questions": (HOSTILE,)})
    run = told(assessment(code, notes=(HOSTILE,)))
    evidence = tuple(
        item.model_copy(update={"statement": HOSTILE, "display": HOSTILE, "source": HOSTILE}) for item in run.evidence
    )
    run = run.model_copy(update={"evidence": evidence})
    parsed = page(run)
    assert not {"script", "img"} & {tag for tag, _ in parsed.tags}
    assert "<script>alert(1)</script>" in parsed.text
    markdown = render_markdown(run, {})
    assert "<script" not in markdown
    assert re.search(r"(?<!\\)\[a", markdown) is None
