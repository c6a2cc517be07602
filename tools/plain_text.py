"""Values as text that a terminal, a log or a language model can be given: one JSON line, nothing that is not printable.

What a user's file calls a variant is data. It may hold terminal escapes, or sentences that look like instructions: both
come out as the inside of a JSON string, with every character that could act on a terminal written as its code.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any

# Controls (C0 but line end and tab, DEL, C1), separators that break lines, and characters without a glyph or with an
# effect on the order of others.
_ACTING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PLAIN = re.compile(r"[ -~]*")

# Signs with which a spreadsheet begins a formula, also in the width of Chinese and Japanese type. Alone they are none.
_FORMULA = re.compile(r"[=@\uff1d\uff20]|[+\-\uff0b\uff0d].")
_LONGEST_ALLELE = 200
_LONGEST_CELL = 2_000
_SHOWN_END = 20
_ALLELE = re.compile(rf"[A-Za-z]{{{_LONGEST_ALLELE + 1},}}")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with every character that acts on a terminal written as its code, such as `\u001b`.

    Parameters
    ----------
    text
        Any text.
    keep
        Characters to leave as they are, such as a line end.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _ACTING else _code(c) for c in text)


def table_cell(text: str) -> str:
    """Return `text` as a cell of a tab-separated table; what is unabridged belongs into JSON.

    It is one printable line, so that it shifts no column and acts on no terminal. Where a spreadsheet would take it for
    a formula, an apostrophe stands before it. An allele of more than 200 letters, or a cell of more than 2,000
    characters, is given by its ends, its length and the beginning of its sha256.
    """
    line = " ".join(text.split())
    if len(line) > _LONGEST_ALLELE:
        line = _ALLELE.sub(lambda match: _ends(match[0]), line)
    if len(line) > _LONGEST_CELL:
        line = _ends(line)
    line = printable(line)
    return f"'{line}" if _FORMULA.match(line) else line


def _ends(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[:_SHOWN_END]}\u2026{text[-_SHOWN_END:]}({len(text)} characters, sha256 {digest})"


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a JSON-able value as printable JSON; compact without `indent`.

    Raises
    ------
    ValueError
        If it holds NaN or infinity.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    # What is left outside of strings is line ends; inside of strings a code is a JSON escape of the same character.
    return printable(text, keep="\n")


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x10000:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
