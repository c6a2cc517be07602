"""What a language model says in a conversation, held against the evidence that came up.

A sentence with a reference is checked as summaries are. A sentence without one passes only as talk: one of a few kinds
of sentence about the conversation itself, made of nothing but the words of a short list. Everything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agentic_spliceai.orchestration.chat import talk
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.reporting.claims import LONGEST, references, verify_text
from agentic_spliceai.tools.vocabulary import Vocabulary

_WORDS_FOR_NAMES = "it"
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’')]*(?:\s+|$)|\n\s*\n")


def checked(text: str, evidence: Mapping[str, Evidence], words: Vocabulary, author: str, request: str = "") -> Claim:
    """Check an answer.

    The names of models, data sets, base models, measures and backends of this installation may be written out: they
    say nothing about a result.

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
    request
        The person's words, whose numbers may be repeated in a question back.
    """
    problems: list[str] = [] if text.strip() else ["it wrote nothing"]
    if len(text) > LONGEST:
        problems.append(f"the text has more than {LONGEST} characters")
    told = []
    for sentence in sentences(text):
        if references(sentence):
            told.append(sentence)
            own = [evidence[name] for name in references(sentence) if name in evidence]
            problems += _clinical(sentence, own)
        else:
            problems += _talk(sentence, words, request)
    if told:
        masked = "\n\n".join(_without_names(sentence, words) for sentence in told)
        problems += verify_text(masked, evidence.values(), author).problems
    problems = list(dict.fromkeys(problems))
    return Claim(
        text=text if text.strip() else "(empty)",
        rendered="" if problems else text,
        evidence_ids=tuple(name for name in references(text) if name in evidence),
        author=author,
        status=ClaimStatus.REFUSED if problems else ClaimStatus.VERIFIED,
        problems=tuple(problems),
    )


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text."""
    return tuple(part.strip() for part in _SENTENCE_END.split(text) if part.strip())


def _talk(sentence: str, words: Vocabulary, request: str) -> list[str]:
    """Refuse a sentence without a reference that is more than talk."""
    where = f" in “{sentence if len(sentence) <= 90 else f'{sentence[:87]}...'}”"
    if match := talk.CLINICAL.search(sentence):
        return [f"it speaks of {match[0]!r} without evidence{where}"]
    strange = talk.foreign_words(_without_names(sentence, words), request)
    if strange:
        return [f"a statement without a reference to the evidence that it rests on ({', '.join(strange)}){where}"]
    if not talk.is_talk(_without_names(sentence, words)):
        return [f"a statement without a reference to the evidence that it rests on{where}"]
    return []


def _clinical(sentence: str, own: Iterable[Evidence]) -> list[str]:
    """Refuse words of the clinic that the sentence's own evidence does not use."""
    told = " ".join(f"{fact.statement} {fact.display} {fact.value}" for fact in own).lower()
    found = dict.fromkeys(match[0].lower() for match in talk.CLINICAL.finditer(sentence))
    return [f"it speaks of {word!r}, its evidence does not" for word in found if word not in told]


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
