"""What a language model says in a conversation, held against the evidence that came up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence, EvidenceKind, make_evidence
from agentic_spliceai.reporting.claims import references, verify_text
from agentic_spliceai.tools.vocabulary import Vocabulary

_WORDS_FOR_NAMES = "it"

# A question back, or a remark without a fact in it, rests on nothing and may be said; the check reads sentences only in
# a text that refers to something. So such a text is read beside a sentence that does.
_REMARK = make_evidence(
    EvidenceKind.METRIC, "a remark", "said", "said", source="chat", created_at=datetime(2026, 1, 1, tzinfo=UTC)
)
_BESIDE = f"\n\nIt is {{{_REMARK.id}}}."


def checked(text: str, evidence: Mapping[str, Evidence], words: Vocabulary, author: str) -> Claim:
    """Check an answer.

    The names of models, data sets, base models, measures and backends of this installation may be written out: they
    say nothing about a result. Everything else is checked as summaries are.

    Parameters
    ----------
    text
        Prose with references in braces.
    evidence
        What it may refer to, by id.
    words
        The names.
    author
        The language model.
    """
    masked = _without_names(text, words)
    if not text.strip():
        problems: tuple[str, ...] = ("it wrote nothing",)
    elif references(text):
        problems = verify_text(masked, evidence.values(), author).problems
    else:
        problems = verify_text(masked + _BESIDE, [_REMARK], author).problems
    problems = tuple(problem for problem in problems if not _is_talk(problem))
    return Claim(
        text=text if text.strip() else "(empty)",
        rendered="" if problems else text,
        evidence_ids=tuple(name for name in references(text) if name in evidence),
        author=author,
        status=ClaimStatus.REFUSED if problems else ClaimStatus.VERIFIED,
        problems=problems,
    )


#: How the check calls a sentence that tells something without a reference, with the sentence after it.
_UNREFERENCED = re.compile(r"a statement without a reference to the evidence that it rests on in “(.*)”", re.DOTALL)
#: A question, or a sentence about what is being done here, tells nothing of a variant or a result.
_TALK = re.compile(
    r".*\?$|(?:we|sorry, we) (?:will|can|cannot|could not|need|propose|proposed|have proposed|suggest|prepared)\b|"
    r"please\b|the plan (?:is|waits|was)\b|sorry, the tool\b",
    re.IGNORECASE | re.DOTALL,
)


def _is_talk(problem: str) -> bool:
    """Whether a finding is only that a question, or a sentence about the conversation itself, rests on nothing."""
    found = _UNREFERENCED.fullmatch(problem)
    return found is not None and _TALK.match(found[1]) is not None


def _without_names(text: str, words: Vocabulary) -> str:
    text = re.sub(r"\bI\b", "we", text)
    names: set[str] = set()
    groups: Iterable[Iterable[object]] = (
        words.models,
        words.datasets,
        words.base_models,
        words.metrics,
        words.backends,
    )
    for group in groups:
        for thing in group:
            title, name = str(getattr(thing, "title", "")), str(getattr(thing, "name", ""))
            names |= {title, name}
    # Longest first, so that 'gated CNN with attention' does not leave half of itself; a bare common word stays checked.
    for name in sorted(names, key=len, reverse=True):
        if name:
            pattern = rf"(?<![\w{{-]){re.escape(name)}(?![\w}}-])"
            text = re.sub(pattern, _WORDS_FOR_NAMES, text, flags=re.IGNORECASE)
    return text
