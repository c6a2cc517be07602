"""Sentences about the conversation itself: what a language model may say without evidence."""

from __future__ import annotations

import re

#: Words of the clinic and of verdicts: never without evidence that uses them.
CLINICAL = re.compile(
    r"\b(?:pathogenic\w*|benign\w*|deleterious\w*|tolerated|harm\w*|damag\w+|destroy\w*|confirm\w*|patients?|famil\w+|"
    r"carriers?|diseases?|disorders?|syndromes?|diagnos\w+|cancers?|tumou?rs?|fibrosis|treat\w*|therap\w*|drugs?|"
    r"surger\w+|surgical\w*|operat\w+|surveillance|screening|health\w*|ill|illness\w*|sick\w*|symptom\w*|risks?|"
    r"mutations?|mutants?|mutat\w+|breasts?|bab(?:y|ies)|child\w*|pregnan\w+|inherit\w*|hereditary|medic\w+|doctors?|"
    r"clinic\w*|cur(?:e|es|ed|ing)|lethal|fatal|die[sd]?|death|penetran\w+|prognos\w+)\b",
    re.IGNORECASE,
)

_WORDS = frozenset(
    """
    a an the this that these those it its they them there here and or but if so then than as at by for from in into of
    on onto per to up with without about over under out
    we you me us my your our who which what where when how whether why
    is are am be was were will would shall should can could may might must do does did has have had not no
    any all each both another other others more some same different only also just first next last again now later
    yet still before after once
    ask asked answer answers question questions request say said tell told mean meant know known want wanted need
    needed like prefer choose chosen choice take taken use used try help please sorry thank thanks welcome hello hi
    well okay ok sure understand understood clear unclear possible wait waits look looked looking see propose proposed
    proposal suggest suggested suggestion prepare prepared plan planned plans change limit limits name named names
    give given show add drop go on off keep kept missing
    step steps experiment experiments data set sets dataset datasets model models base measure metric seed seeds
    build genome assembly variant variants file files vcf table run runs job jobs tool tools budget money dollars cost
    hours hour minutes time epoch epochs device backend machine arm arms option options default defaults example
    examples size train training compare comparison interpret interpretation triage record recorded records evidence
    holds hold list search read approve approval reject decide decision many much long far
    failed fails fail message assume assumed took taken
    """.split()  # noqa: SIM905 - read as words, not as a list of quotes
)
_NUMBERS = frozenset("one two three four five six seven eight nine ten".split())  # noqa: SIM905
_COUNTED = frozenset(
    "seed seeds model models epoch epochs run runs arm arms step steps experiment experiments hours dollars".split()  # noqa: SIM905
)
_BUILDS = frozenset({"grch37", "grch38", "hg19", "hg38"})
_TOKEN = re.compile(r"[A-Za-z0-9_.+-]*[A-Za-z0-9]|[^\s\w]")
_MARKS = frozenset(".,;:?!'\"()“”‘’…-")

#: What a sentence without a reference may be; each has to fit from its first word on.
_QUESTION = re.compile(
    r"(?:(?:and|or|so|well|sorry|thanks|hello|hi|ok|okay),? )?"
    r"(?:do you|would you|should|shall|may|can|could|what|which|"
    r"how (?:many|much|long)|where|on which|on what|in which|for which|with which|at most|is (?:it|this|that|the plan)|"
    r"are you)\b.*\?",
    re.IGNORECASE | re.DOTALL,
)
_STATEMENT = re.compile(
    r"(?:(?:sorry|well|ok|okay), )?(?:"
    r"(?:we|we'll) (?:will|can|cannot|could not|need|want|would|propose|proposed|have proposed|suggest|prepared|"
    r"do not|did not|have no|looked|asked|understand|take)\b|"
    r"(?:we )?(?:assumed?|took)\b|"
    r"please\b|you (?:can|could|may)\b|the plan (?:waits|is (?:here|there|prepared|proposed))\b|here is the plan|"
    r"the (?:first|next|last) step is to\b|(?:sorry,? )?the tool (?:failed|fails)|no evidence holds\b|"
    r"(?:that|it|this) is not (?:known|recorded|clear)\b"
    r").*",
    re.IGNORECASE | re.DOTALL,
)
_COURTESY = re.compile(
    r"(?:hello|hi|sorry|well|thanks|thank you|you are welcome|ok|okay|sure|what is it)[.!?]", re.IGNORECASE
)


def is_talk(sentence: str) -> bool:
    """Whether a sentence, names taken out, is a question back, a courtesy, or about what is done here."""
    return any(kind.fullmatch(sentence) is not None for kind in (_COURTESY, _QUESTION, _STATEMENT))


def foreign_words(sentence: str, request: str) -> list[str]:
    """Return what a sentence holds beside the words of talk; numbers pass where the request has them."""
    tokens = _TOKEN.findall(sentence.replace("’", "'"))
    asked = {token.lower() for token in _TOKEN.findall(request)}
    strange = []
    for place, token in enumerate(tokens):
        word = token.lower()
        following = tokens[place + 1].lower() if place + 1 < len(tokens) else ""
        if word in _MARKS or word in _WORDS or word in _BUILDS:
            continue
        if word in _NUMBERS and following in _COUNTED:
            continue
        if word[:1].isdigit() and word in asked and re.fullmatch(r"\d+(?:\.\d+)?", word):
            continue
        strange.append(token)
    return strange
