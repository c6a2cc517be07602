"""A request cut into words, numbers, variants, paths and ids. Nothing is understood here yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class TokenKind(StrEnum):
    """What a stretch of a request looks like."""

    WORD = "word"
    NUMBER = "number"
    MONEY = "money"
    VARIANT = "variant"
    PATH = "path"
    ID = "id"
    MARK = "mark"


@dataclass(frozen=True)
class Token:
    """One stretch; `value` is set for numbers and money, `text` is what was written."""

    kind: TokenKind
    text: str
    value: float = 0.0

    @property
    def word(self) -> str:
        """The text as the lexicon compares it."""
        return self.text.lower().replace("_", "").strip("'")


#: Longest request that is read; what people write is far shorter, and a pasted file is no request.
LONGEST = 4000

#: Numbers beyond are taken as this one: past every limit that there is.
LARGEST = 1e15

_CHROMOSOME = r"(?:chr)?(?:[1-9]|1\d|2[0-2]|[XYxy]|MT?)"
_KINDS: tuple[tuple[TokenKind, str], ...] = (
    (TokenKind.PATH, r"[^\s'\"<>|;]+\.(?:vcf\.gz|vcf\.bgz|vcf|bcf)\b"),
    (TokenKind.VARIANT, r"(?:N[MRCGT]_|XM_|ENST|LRG_)[\w.]+(?:\([\w-]+\))?:[cgnr]\.[\w+*>_=?-]+"),
    (TokenKind.VARIANT, r"[A-Z][A-Za-z0-9-]{1,14}:[cgn]\.[\w+*>_=?-]+"),
    (TokenKind.VARIANT, r"NC_\d+\.\d+:\d+:[ACGTacgt]*:[ACGTacgt]*"),
    (TokenKind.VARIANT, _CHROMOSOME + r"[-:]\d{2,}[-:\s]?[ACGTNacgtn]+(?:>|-|/|:)[ACGTNacgtn]+(?![\w])"),
    (TokenKind.VARIANT, r"[A-Za-z][\w.]*-\d{2,}-[ACGTNacgtn]+-[ACGTNacgtn]+(?![\w])"),
    (TokenKind.ID, r"E-[0-9a-f]{8}\b"),
    (TokenKind.ID, r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,64}(?![\w.])"),
    (TokenKind.MONEY, r"[$€]\s?\d+(?:,\d{3})*(?:\.\d+)?|(?:USD|US\$)\s?\d+(?:\.\d+)?"),
    (
        TokenKind.NUMBER,
        r"(?:(?<=\s)-\d+(?:\.\d+)?)|-?\d+(?:\.\d+)?[eE]-?\d+|\d{1,3}(?:,\d{3})+(?!\d)|-?\d*\.\d+(?:[kKM](?![a-zA-Z]))?|\d+(?:[kKM](?![a-zA-Z]))?",
    ),
    (TokenKind.WORD, r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ0-9_']*"),
    (TokenKind.MARK, r"[^\s\w]"),
)
_TOKEN = re.compile("|".join(f"(?P<g{number}>{pattern})" for number, (_, pattern) in enumerate(_KINDS)))
_SCALE = {"k": 1e3, "K": 1e3, "M": 1e6}


def tokens(text: str) -> tuple[Token, ...]:
    """Cut a request into tokens; what is no letter, digit or mark is left out."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text[:LONGEST]):
        kind = _KINDS[int((match.lastgroup or "g0")[1:])][0]
        raw = match.group()
        value = _number(raw) if kind in (TokenKind.NUMBER, TokenKind.MONEY) else 0.0
        found.append(Token(kind, raw, value))
    return tuple(found)


def _number(raw: str) -> float:
    plain = raw.lstrip("$€USD ").replace(",", "")
    scale = _SCALE.get(plain[-1:], 1.0)
    value = float(plain if scale == 1.0 else plain[:-1]) * scale
    # Whoever writes 1e999 means no number that anything here can take.
    return min(max(value, -LARGEST), LARGEST)
