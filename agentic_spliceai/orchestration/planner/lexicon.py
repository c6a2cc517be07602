"""The words of requests, by what they mean; misspelt ones are recognised, and said to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentic_spliceai.orchestration.planner.phrases import NUMBERS, PHRASES, PLAIN
from agentic_spliceai.orchestration.planner.words import Token, TokenKind, tokens
from agentic_spliceai.tools.vocabulary import Vocabulary


@dataclass(frozen=True)
class Item:
    """A stretch of a request with a meaning.

    Attributes
    ----------
    kind
        'model', 'dataset', 'number', 'seed', ...; 'unknown' for a word that is in no table.
    value
        What it stands for.
    text
        As it was written.
    spelt
        The word that it was read as, where it was misspelt.
    """

    kind: str
    value: Any
    text: str
    spelt: str | None = None


_SHORTEST_TO_CORRECT = 4


@dataclass
class Lexicon:
    """Phrases and what they stand for."""

    entries: dict[tuple[str, ...], tuple[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Vocabulary) -> Lexicon:
        """Return the lexicon of an installation: its names, and the words that are always the same."""
        lexicon = cls()
        for kind, meanings in PHRASES.items():
            for value, phrases in meanings.items():
                lexicon.add(kind, value, phrases.split("|"))
        for text, number in NUMBERS.items():
            lexicon.add("number", float(number), [text])
        for foreign, what in words.foreign.items():
            lexicon.add("foreign", (what, foreign), [foreign])
        for kind, named in (
            ("task", words.tasks),
            ("metric", words.metrics),
            ("backend", words.backends),
            ("base_model", words.base_models),
            ("dataset", words.datasets),
            ("model", words.models),
        ):
            for thing in named:
                lexicon.add(kind, thing.name, (*thing.phrases, thing.name))
        return lexicon

    def add(self, kind: str, value: Any, phrases: Iterable[str]) -> None:
        """Let phrases stand for a value; a later meaning of a phrase wins."""
        for phrase in phrases:
            key = tuple(token.word for token in _joined(tokens(phrase)))
            if key:
                self.entries[key] = (kind, value)

    def read(self, text: str) -> tuple[Item, ...]:
        """Return a request as items: the longest known phrase at each place."""
        words = _joined(tokens(text))
        longest = max((len(key) for key in self.entries), default=1)
        items: list[Item] = []
        place = 0
        while place < len(words):
            item, used = self._at(words, place, longest)
            items.append(item)
            place += used
        return tuple(items)

    def _at(self, words: Sequence[Token], place: int, longest: int) -> tuple[Item, int]:
        first = words[place]
        if first.kind in (TokenKind.VARIANT, TokenKind.PATH, TokenKind.ID):
            return Item(first.kind.value, first.text, first.text), 1
        if first.kind is TokenKind.MONEY:
            return Item("money", first.value, first.text), 1
        for length in range(min(longest, len(words) - place), 0, -1):
            stretch = words[place : place + length]
            found = self.entries.get(tuple(token.word for token in stretch))
            if found is not None:
                return Item(found[0], found[1], " ".join(token.text for token in stretch)), length
        if first.kind is TokenKind.NUMBER:
            return Item("number", first.value, first.text), 1
        if first.kind is TokenKind.MARK:
            return Item("range" if first.text == "-" else "filler", "", first.text), 1
        return self._corrected(words, place, longest)

    def _corrected(self, words: Sequence[Token], place: int, longest: int) -> tuple[Item, int]:
        """Return the phrase that a misspelt stretch was meant for, or an unknown word."""
        best: tuple[int, int, tuple[str, ...]] | None = None
        for key in self.entries:
            stretch = words[place : place + len(key)]
            if len(stretch) < len(key):
                continue
            errors = _errors(tuple(token.word for token in stretch), key)
            if errors is not None and (best is None or (errors, -len(key), key) < (best[0], best[1], best[2])):
                best = (errors, -len(key), key)
        if best is None:
            return Item("unknown", words[place].text, words[place].text), 1
        kind, value = self.entries[best[2]]
        text = " ".join(token.text for token in words[place : place + len(best[2])])
        return Item(kind, value, text, spelt=" ".join(best[2])), len(best[2])


def _joined(words: Sequence[Token]) -> list[Token]:
    """Drop the hyphens of compound words; one between two numbers stays, as a range."""
    kept: list[Token] = []
    for place, token in enumerate(words):
        if token.kind is TokenKind.MARK and token.text in "-–—":
            before = words[place - 1].kind if place else None
            after = words[place + 1].kind if place + 1 < len(words) else None
            if before is TokenKind.NUMBER and after is TokenKind.NUMBER:
                kept.append(Token(TokenKind.MARK, "-"))
            continue
        kept.append(token)
    return kept


def _errors(written: tuple[str, ...], meant: tuple[str, ...]) -> int | None:
    """Return how many letters are wrong; None where that is more than a slip of the finger."""
    total = 0
    for word, target in zip(written, meant, strict=True):
        if word == target:
            continue
        if len(target) < _SHORTEST_TO_CORRECT or len(word) < _SHORTEST_TO_CORRECT or word in PLAIN or target in PLAIN:
            return None
        if not word.isalnum() or word[0] != target[0]:
            return None
        wrong = _distance(word, target)
        if wrong > (2 if len(target) >= 7 else 1):
            return None
        total += wrong
    return total


def _distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance: insertions, deletions, changes, and swaps of neighbours."""
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        current = [i]
        for j, right in enumerate(b, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]
