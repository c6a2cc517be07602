"""Who answers a workflow's questions at once: a person at the terminal, or `--approve`. Else the run pauses."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from pydantic import JsonValue

from agentic_spliceai.tools.interaction import Answer, NoOneToAskError, Question
from agentic_spliceai.tools.plain_text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: The choice that `--approve` takes.
APPROVE = "approve"


def approve_all(question: Question) -> Answer:
    """Approve what is to be approved, as `--approve`; raises `NoOneToAskError` where the question is another."""
    if APPROVE in question.choices:
        return Answer(choice=APPROVE, by="--approve", comment="approved in advance on the command line")
    raise NoOneToAskError(
        f"--approve does not answer: {question.title}", f"Answer one of: {', '.join(question.choices)}."
    )


class TerminalAsker:
    """Shows a question on a terminal and reads the answer.

    Parameters
    ----------
    console
        Where it is shown; by default standard error.
    read
        Reads a line after its prompt; by default from the keyboard.
    suspended
        Gives a context in which nothing else draws on the terminal.
    """

    def __init__(
        self,
        console: Console | None = None,
        read: Callable[[str], str] | None = None,
        suspended: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._read = read or self._from_the_keyboard
        self._suspended = suspended

    def __call__(self, question: Question) -> Answer:
        """Return the answer; raises `NoOneToAskError` at the end of input, where the person left it open."""
        with self._suspended():
            self._console.print(question_panel(question))
            try:
                choice = self._choice(question.choices)
                comment = self._read("why (Enter for none): ").strip()
            except EOFError:
                raise NoOneToAskError(f"not answered: {question.title}", "Take the run up again to answer.") from None
        return Answer(choice=choice, by=_user(), comment=comment)

    def _choice(self, choices: tuple[str, ...]) -> str:
        while True:
            given = self._read(f"{' / '.join(choices)}: ").strip().lower()
            found = [choice for choice in choices if given and choice.lower().startswith(given)]
            exact = [choice for choice in choices if choice.lower() == given]
            if len(exact or found) == 1:
                return (exact or found)[0]
            self._console.print(f"Answer one of: {', '.join(choices)}.", markup=False, highlight=False)

    def _from_the_keyboard(self, prompt: str) -> str:
        from rich.text import Text

        return self._console.input(Text(prompt))


def question_panel(question: Question) -> RenderableType:
    """Return a question with its details, as a terminal shows it; no text in it can act on the terminal."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in question.details.items():
        if value not in (None, "", [], {}):
            table.add_row(Text(printable(name)), Text(printable(_shown(value), keep="\n")))
    return Panel(table, title=Text(printable(question.title)), title_align="left", border_style="yellow")


def question_lines(question: Question) -> list[str]:
    """Return a question with its details as plain lines."""
    lines = [question.title]
    for name, value in question.details.items():
        if value not in (None, "", [], {}):
            first, *rest = _shown(value).splitlines()
            lines += [f"  {name}: {first}", *(f"    {line}" for line in rest)]
    return [*lines, f"  answers: {', '.join(question.choices)}"]


def _shown(value: JsonValue) -> str:
    if isinstance(value, list):
        return "\n".join(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as in some containers
        return "terminal"
