"""Texts whose numbers and names are references to evidence: rendering them, and refusing those that are not.

A text names evidence by its id in braces, `{E-0a1b2c3d}`; `render` puts the displays in their places, once.
`verify_text` reads the prose around the references and refuses what a sentence's own references do not hold. It is a
check of form: it finds numbers, names, codes, contrary directions and statements without evidence, not a false argument
that is made of true facts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence, EvidenceKind
from agentic_spliceai.reporting import claim_denied as denied
from agentic_spliceai.reporting import claim_words as words
from agentic_spliceai.splice_engine.errors import SpliceEngineError

REFERENCE = re.compile(r"\{(E-[0-9a-f]{8})\}")
LONGEST = 4000  # characters of a text

# Private characters that stand for a reference and for a name that evidence allows; never part of an accepted text.
_REF, _NAME = "\ue001", "\ue000"
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’')]*(?:\s+|$)|\n\s*\n")
# What a text may write out where its evidence allows it: one word, no sentence.
_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:()+>*=?-]{0,119}")
_SMALL_NUMBER = re.compile(r"[+−-]?\d{1,2}")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z-]*")
#: Facts whose names hold for everything about their subject.
_OF_A_SUBJECT = frozenset({"gene", "transcript examined", "predictor"})
_CLAUSE = re.compile(r"[;:,]|\b(?:and|but|while|whereas)\b")
_BEFORE, _AFTER = frozenset("( \n\t\"“‘'"), frozenset(") \n\t,.;:?!\"”’'")


class ClaimError(SpliceEngineError):
    """A text refers to evidence that is not there."""

    code: ClassVar[str] = "claim"


def render(text: str, evidence: Iterable[Evidence]) -> str:
    """Return `text` with every reference replaced by its evidence's display; nothing in a display is replaced again.

    Raises
    ------
    ClaimError
        If a reference has no evidence.
    """
    known = {item.id: item for item in evidence}

    def display(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise ClaimError(f"there is no evidence {match[1]}.", "Refer to evidence that was given.")
        return known[match[1]].display

    return REFERENCE.sub(display, text)


def references(text: str) -> tuple[str, ...]:
    """Return the ids that a text refers to, each once, in their order."""
    return tuple(dict.fromkeys(REFERENCE.findall(text)))


def verify_text(text: str, evidence: Iterable[Evidence], author: str = "rules") -> Claim:
    """Check a text against evidence.

    Parameters
    ----------
    text
        Prose with references.
    evidence
        All that it may refer to.
    author
        `rules`, or the language model's name.

    Returns
    -------
    Claim
        Verified and rendered, or refused with every problem that was found; a refused text is not rendered.
    """
    known = {item.id: item for item in evidence}
    problems = [*_form(text), *_references(text, known)]
    if not problems:
        for sentence in _SENTENCE_END.split(text):
            if sentence.strip():
                problems += _sentence(sentence.strip(), known)
    problems = list(dict.fromkeys(problems))
    return Claim(
        text=text if text.strip() else "(empty)",
        rendered="" if problems else render(text, known.values()),
        evidence_ids=tuple(name for name in references(text) if name in known),
        author=author,
        status=ClaimStatus.REFUSED if problems else ClaimStatus.VERIFIED,
        problems=tuple(problems),
    )


def _form(text: str) -> list[str]:
    """Refuse what is no plain prose at all."""
    if not text.strip():
        return ["the text is empty"]
    problems = []
    if len(text) > LONGEST:
        problems.append(f"the text has more than {LONGEST} characters")
    for character in dict.fromkeys(text):
        ordinary = character == "\n" or (character.isascii() and character.isprintable())
        if not ordinary and character not in words.TYPOGRAPHY:
            name = unicodedata.name(character, f"U+{ord(character):04X}").lower()
            problems.append(f"the character {name} is no plain text: digits, signs and names come from evidence")
    if words.LINK.search(text):
        problems.append("there is a link in it")
    return problems


def _references(text: str, known: Mapping[str, Evidence]) -> list[str]:
    problems = []
    found = references(text)
    if not found:
        problems.append("it refers to no evidence")
    problems += [f"there is no evidence {name}" for name in found if name not in known]
    if re.search(r"[{}]", REFERENCE.sub("", text)):
        problems.append("braces hold something else than the id of evidence, as in {E-0a1b2c3d}")
    for name in found:
        if name in known and not _is_plain(known[name].display):
            problems.append(f"the evidence {name} has a value that is no plain text")
    for match in REFERENCE.finditer(text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if (before and before not in _BEFORE) or (after and after not in _AFTER):
            problems.append(
                f"{before}{match[0]}{after}: a reference stands alone, without signs, digits or letters at it"
            )
    if re.search(r"\}\s+\{", text):
        problems.append("two references stand side by side with nothing between them: their values would run together")
    return problems


def _is_plain(text: str) -> bool:
    return text.isprintable() and not re.search(r"[{}<]", text) and words.LINK.search(text) is None


def _sentence(sentence: str, known: Mapping[str, Evidence]) -> list[str]:
    own = [known[name] for name in references(sentence)]
    masked = denied.PRONOUN_ONE.sub(r"\g<which> site", REFERENCE.sub(_REF, sentence))
    prose = _without_names(masked, own, _of_subjects(own, known.values()))
    where = f" in {_quote(sentence)}"
    problems = [
        *_values(prose, own, masked),
        *_marks(prose),
        *_names(prose),
        *_symbols(prose, own),
        *_directions(prose, own),
        *_senses(prose, own),
        *_sizes(prose, own),
        *_negations(prose, own),
    ]
    if own:
        problems += _unbacked(prose, own, (*denied.DENIED, *words.BACKED_WORDS))
        if match := denied.DENIED_BESIDE_EVIDENCE.search(prose):
            problems.append(f"{match[0]!r} is an instruction, no statement")
    else:
        always = (rule for rule in (*denied.DENIED, *words.BACKED_WORDS) if rule[1] in denied.ALWAYS)
        problems += _unbacked(prose, own, always)
        if words.FACTS.search(prose):
            problems.append("a statement without a reference to the evidence that it rests on")
    return [f"{problem}{where}" for problem in problems]


def _of_subjects(own: Sequence[Evidence], known: Iterable[Evidence]) -> set[str]:
    """Return the names of gene, transcript and predictor of the very subjects that a sentence's evidence is about."""
    subjects = {item.statement.rpartition(": ")[0] for item in own} - {""}
    return {
        term
        for item in known
        for term in item.terms
        if item.kind is not EvidenceKind.CODE
        and item.statement.rpartition(": ")[0] in subjects
        and item.statement.rpartition(": ")[2] in _OF_A_SUBJECT
    }


def _without_names(prose: str, own: Sequence[Evidence], of_subjects: Iterable[str]) -> str:
    """Take out the names and displays that the sentence's own evidence allows it to write."""
    allowed = {name for item in own for name in (*item.terms, item.display)} | set(of_subjects)
    # A short whole number is in too many displays to say which of them was meant.
    usable = (name for name in allowed if _TERM.fullmatch(name) and not _SMALL_NUMBER.fullmatch(name))
    for name in sorted(usable, key=len, reverse=True):
        pattern = re.compile(rf"`{re.escape(name)}`|(?<![\w.,:+−–>-]){re.escape(name)}(?![\w>])(?![.,:]\w)")
        prose = pattern.sub(_NAME, prose)
    return prose


def _values(prose: str, own: Sequence[Evidence], masked: str) -> list[str]:
    """Refuse numbers in any spelling, and words that would make another value of a reference's."""
    problems = []
    if digits := re.findall(r"\S*\d\S*", prose):
        problems.append(f"a number or name with digits: {', '.join(_bare(token) for token in digits)}")
    spoken = [word for word in _WORD.findall(prose.replace("-", " ")) if _is_number(word.lower())]
    if spoken:
        problems.append(f"a number in words: {', '.join(spoken)}")
    parts = masked.split(_REF)
    # A reference that is not among `own` cannot be here: the caller has looked them all up.
    for index in range(1, len(parts)):
        if match := words.BEFORE_VALUE.search(parts[index - 1]):
            problems.append(f"{match[0].strip()!r} before a reference makes another value of it")
        if match := words.AFTER_VALUE.match(parts[index]):
            problems.append(f"{match[0].strip()!r} after a reference: the value brings its own unit")
    return problems


def _is_number(word: str) -> bool:
    return word in words.NUMBER_WORDS or words.NUMBER_SHAPES.fullmatch(word) is not None


def _marks(prose: str) -> list[str]:
    problems = []
    if marks := sorted(set(prose) & words.MARKUP):
        problems.append(f"markup, operators or signs: {' '.join(marks)}")
    if re.search(r"(?<![A-Za-z])-|-(?![A-Za-z])|−", prose):
        problems.append("a minus sign or dash that is no hyphen")
    return problems


def _names(prose: str) -> list[str]:
    """Refuse names of genes, transcripts, variants, residues and codes that no own evidence allows."""
    problems = []
    for what, pattern in (
        ("an HGVS description", words.HGVS),
        ("a place in the genome", words.CONTIG),
        ("a transcript or sequence", words.TRANSCRIPT),
    ):
        if match := pattern.search(prose):
            problems.append(f"{what} that its evidence does not name: {match[0].strip()!r}")
    start = prose.lstrip("(\"“‘'")[:1].isalpha()
    for token in _TOKEN.findall(prose):
        for part in token.split("-"):
            if part.lower() in words.CODE_STEMS or words.SPELLED_CODE.match(part):
                problems.append(f"an ACMG/ClinGen code that its evidence does not name: {token!r}")
            elif part and _is_name(part, start):
                problems.append(f"a name that its evidence does not hold: {part!r}")
            elif words.AMINO_ACIDS.fullmatch(part.lower()):
                problems.append(f"a residue or base that its evidence does not name: {part!r}")
            start = False
    return problems


def _is_name(word: str, starts_sentence: bool) -> bool:
    if word in words.ABBREVIATIONS or word in words.CAPITALISED or word.removesuffix("s") in words.ABBREVIATIONS:
        return False
    if len(word) == 1:
        return word.isupper() and not (word in "AI" and starts_sentence)
    if len(word) > 2 and not set(word.lower()) & set("aeiouy"):
        return True  # Ttn, cftr: no word of prose is without a vowel
    capitals = sum(letter.isupper() for letter in word)
    return capitals > 1 or (capitals == 1 and not (starts_sentence and word[0].isupper()))


def _unbacked(
    prose: str, own: Sequence[Evidence], rules: Iterable[tuple[re.Pattern[str], str, tuple[str, ...]]]
) -> list[str]:
    told = " ".join(f"{item.kind} {item.statement} {item.display} {item.value}" for item in own)
    told = told.lower().replace("_", " ")
    return [
        f"it speaks of {name} ({match[0]!r}), its evidence does not"
        for pattern, name, stems in rules
        if (match := pattern.search(prose)) is not None and not any(re.search(rf"\b{stem}", told) for stem in stems)
    ]


def _symbols(prose: str, own: Sequence[Evidence]) -> list[str]:
    """Refuse a gene's symbol in another case than its own."""
    symbols = {term.lower() for item in own for term in item.terms if term.isalnum()}
    return [
        f"a name that its evidence writes in another way: {word!r}"
        for word in dict.fromkeys(_WORD.findall(prose))
        if word.lower() in symbols
    ]


def _sense(item: Evidence) -> str | None:
    """Whether a score or position is that of a gain or of a loss."""
    told = f"{item.statement.rpartition(': ')[2]} {item.value}".lower().replace("_", " ")
    if item.kind is EvidenceKind.CONSEQUENCE:
        return "gain" if told.startswith(("likeliest event, new site", "alternative event, new site")) else None
    if item.kind is not EvidenceKind.SCORE:
        return None
    found = {sense for sense in ("gain", "loss") if re.search(rf"\b{sense}\b", told)}
    return found.pop() if len(found) == 1 else None


def _senses(prose: str, own: Sequence[Evidence]) -> list[str]:
    """In a sentence with gains and losses, refuse a clause that gives one of them the other's word."""
    facts = iter(own)
    by_place = {match.start(): next(facts, None) for match in re.finditer(_REF, prose)}
    if len(own) != len(by_place):
        return []  # a fact that is told twice: its places are not known
    problems, start = [], 0
    for end in [*(match.start() for match in _CLAUSE.finditer(prose)), len(prose)]:
        clause = prose[start:end]
        senses = {_sense(item) for place, item in by_place.items() if item is not None and start <= place < end}
        gain, loss = words.GAIN_WORDS.search(clause), words.LOSS_WORDS.search(clause)
        if "loss" in senses and gain and not loss:
            problems.append(f"{gain[0]!r} beside the evidence of a loss")
        if "gain" in senses and loss and not gain:
            problems.append(f"{loss[0]!r} beside the evidence of a gain")
        start = end
    return problems


def _sizes(prose: str, own: Sequence[Evidence]) -> list[str]:
    """Refuse what is added told as taken away, and the reverse."""
    sizes = [number for item in own if item.unit == "nt" and (number := _number(item)) is not None]
    shorter, longer = denied.SHORTER.search(prose), denied.LONGER.search(prose)
    if sizes and all(size > 0 for size in sizes) and shorter and not longer:
        return [f"{shorter[0]!r}, but its evidence adds bases"]
    if sizes and all(size < 0 for size in sizes) and longer and not shorter:
        return [f"{longer[0]!r}, but its evidence takes bases away"]
    return []


def _directions(prose: str, own: Sequence[Evidence]) -> list[str]:
    """Refuse a loss that is told as a gain, a worse result told as a better one, and the reverse."""
    problems = []
    senses = {_sense(item) for item in own}
    gains, losses = "gain" in senses, "loss" in senses
    says_gain, says_loss = words.GAIN_WORDS.search(prose), words.LOSS_WORDS.search(prose)
    if losses and not gains and says_gain and not says_loss:
        problems.append(f"{says_gain[0]!r}, but its evidence is a loss")
    if gains and not losses and says_loss and not says_gain:
        problems.append(f"{says_loss[0]!r}, but its evidence is a gain")
    escapes = any(item.kind is EvidenceKind.CONSEQUENCE and item.value == "escapes" for item in own)
    if escapes and (decay := words.DECAY_WORDS.search(prose)) and not words.ESCAPE_WORDS.search(prose):
        problems.append(f"{decay[0]!r}, but its evidence is an escape from decay")
    compared = [item for item in own if item.kind in (EvidenceKind.COMPARISON, EvidenceKind.DELTA)]
    numbers = [number for item in compared if (number := _number(item)) is not None]
    up, down = words.UP_WORDS.search(prose), words.DOWN_WORDS.search(prose)
    if numbers and all(number < 0 for number in numbers) and up and not down:
        problems.append(f"{up[0]!r}, but its evidence is a decrease")
    if numbers and all(number > 0 for number in numbers) and down and not up:
        problems.append(f"{down[0]!r}, but its evidence is an increase")
    if any(item.value == "not_distinguished" for item in compared) and (direction := up or down):
        problems.append(f"{direction[0]!r}, but its evidence says that the two cannot be told apart")
    return problems


def _negations(prose: str, own: Sequence[Evidence]) -> list[str]:
    """Refuse a sentence that denies what its own evidence affirms."""
    affirmed = (EvidenceKind.SCORE, EvidenceKind.FIGURE, EvidenceKind.COMPARISON, EvidenceKind.CONSEQUENCE)
    told = [
        item
        for item in own
        if item.kind in affirmed
        and item.value is not None
        and not (isinstance(item.value, str) and item.value in words.UNAFFIRMED)
    ]
    denied = any(isinstance(item.value, str) and item.value in words.UNAFFIRMED for item in own)
    match = words.NEGATIONS.search(prose)
    if match is None or not told or denied:
        return []
    return [f"{match[0]!r} denies what its evidence says: tell what was found"]


def _number(item: Evidence) -> float | None:
    value = item.value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bare(token: str) -> str:
    return repr(token.replace(_REF, "…").replace(_NAME, "…").strip(".,;:()\"'"))


def _quote(sentence: str) -> str:
    shown = sentence if len(sentence) <= 90 else f"{sentence[:87]}..."
    return f"“{shown}”"
