"""How a conversation looks: rich on a terminal, plain lines in a pipe, JSON events for another program."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from agentic_spliceai.orchestration.askers import question_lines, question_panel
from agentic_spliceai.orchestration.chat.events import (
    EVENT,
    AnswerEvent,
    ApprovalNeeded,
    ChatEvent,
    ErrorEvent,
    StatusEvent,
    TokenEvent,
    ToolAdvanced,
    ToolEnded,
    ToolStarted,
)
from agentic_spliceai.tools.plain_text import json_text, printable

if TYPE_CHECKING:
    from agentic_spliceai.orchestration.chat.session import ChatSession

_BETWEEN_LINES = 5.0
_SHOWN_MESSAGES = 6
_HOW = "Answer 'approve' or 'reject'; or change the plan, for example 'make it five seeds'."


class Display:
    """Plain lines.

    Parameters
    ----------
    stream
        By default standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._last = 0.0
        self._writing = False

    def begin(self, session: ChatSession) -> None:
        """Name the conversation, and what was said last where it goes on."""
        self.line(f"conversation {session.id} · {printable(session.engine.name)} · 'help' shows what you can ask for")
        spoken = [m for m in session.messages if m.role in ("user", "assistant") and m.kind in ("text", "answer")]
        for message in spoken[-_SHOWN_MESSAGES:]:
            self.line(f"{'you' if message.role == 'user' else 'answer'}: {printable(message.content, keep=chr(10))}")

    def end(self, session: ChatSession) -> None:
        """Say how to go on."""
        if session.waiting is not None:
            self.line(f"The plan still waits. Go on with: agentic-spliceai chat --resume {session.id}")

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        if not isinstance(event, TokenEvent) and self._writing:
            self.line("")
            self._writing = False
        match event:
            case TokenEvent():
                self.token(event.text)
                self._writing = True
            case ToolStarted():
                self.step(f"  {printable(event.name)}: {printable(event.purpose)}")
            case ToolAdvanced():
                self.progress(event)
            case ToolEnded():
                word = "done" if event.ok else f"failed: {printable(event.message)}"
                self.step(f"  {printable(event.name)}: {word} in {event.seconds:.1f} s")
            case ApprovalNeeded():
                self.approval(event)
            case AnswerEvent():
                self.answer(event)
            case ErrorEvent():
                self.error(event)
            case StatusEvent():
                self.status(event.line)
            case _:
                pass  # a plan is shown by the answer that follows, and by the approval

    def token(self, text: str) -> None:
        """Show a piece of a text that is being written."""
        self._stream.write(printable(text, keep="\n"))
        self._stream.flush()

    def step(self, text: str) -> None:
        """Show that a step begins or ends."""
        self.line(text)

    def progress(self, event: ToolAdvanced) -> None:
        """Show how far a step is, not too often."""
        now = time.monotonic()
        if now - self._last >= _BETWEEN_LINES:
            self._last = now
            self.line(f"  {printable(event.name)}: {printable(event.message)}")

    def approval(self, event: ApprovalNeeded) -> None:
        """Show what is to be approved."""
        for text in question_lines(event.question):
            self.line(printable(text))
        self.line(_HOW)

    def answer(self, event: AnswerEvent) -> None:
        """Show an answer, and why it is not the model's where it is not."""
        if event.refused:
            self.line("What the model wrote is not shown where no evidence backs it:")
            for problem in event.refused:
                self.line(f"  - {printable(problem)}")
        self.line(printable(event.text, keep="\n"))

    def error(self, event: ErrorEvent) -> None:
        """Show what went wrong."""
        self.line(f"error: {printable(f'{event.message} {event.advice}'.strip())}")

    def status(self, text: str) -> None:
        """Show the status line."""
        self.line(f"[{printable(text)}]")

    def stopped(self, session: ChatSession) -> None:
        """Say what becomes of what was started."""
        self.line("")
        self.line("Stopped watching. A job that was started goes on: `agentic-spliceai jobs list` shows it.")
        self.line(f"Say 'continue' to watch again, or later: agentic-spliceai chat --resume {session.id}")

    def echo(self, text: str) -> None:
        """Show a message that came from a pipe."""
        self.line(f"> {printable(text)}")

    def note(self, text: str) -> None:
        """Show a remark."""
        self.line(text)

    def read(self) -> str:
        """Read a message; raises `EOFError` at the end."""
        return input("> ")

    def line(self, text: str) -> None:
        """Write a line."""
        self._stream.write(f"{text}\n")
        self._stream.flush()


class JsonDisplay(Display):
    """Events as JSON, one a line."""

    def begin(self, session: ChatSession) -> None:
        """Name the conversation."""
        self.line(json_text({"kind": "session", "id": session.id, "model": session.engine.name}))

    def end(self, session: ChatSession) -> None:
        """Say nothing: whoever reads has the events."""

    def show(self, event: ChatEvent) -> None:
        """Print the event."""
        self.line(json_text(EVENT.dump_python(event, mode="json")))

    def stopped(self, session: ChatSession) -> None:
        """Print that it was stopped."""
        self.show(ErrorEvent(code="interrupted", message="stopped watching; jobs go on.", advice=""))

    def echo(self, text: str) -> None:
        """Print nothing: the other program knows what it sent."""

    def note(self, text: str) -> None:
        """Print nothing."""


class RichDisplay(Display):
    """Colours, a spinner for the step that runs, a panel for what is to be approved."""

    def __init__(self) -> None:
        from rich.console import Console

        super().__init__()
        self._console = Console(highlight=False)
        self._spinner = self._console.status("")

    def line(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Show that a step begins or ends."""
        self._console.print(text, style="dim", markup=False)
        self._spinner.update(text.strip())
        self._spinner.start()

    def progress(self, event: ToolAdvanced) -> None:
        """Show how far the step is."""
        from rich.markup import escape

        self._spinner.update(escape(printable(f"{event.name}: {event.message}")))

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        if not isinstance(event, ToolStarted | ToolAdvanced | ToolEnded):
            self._spinner.stop()
        super().show(event)

    def approval(self, event: ApprovalNeeded) -> None:
        """Show what is to be approved."""
        self._console.print(question_panel(event.question))
        self.line(_HOW)

    def error(self, event: ErrorEvent) -> None:
        """Show what went wrong."""
        self._console.print(
            f"error: {printable(f'{event.message} {event.advice}'.strip())}", style="red", markup=False, soft_wrap=True
        )

    def status(self, text: str) -> None:
        """Show the status line."""
        self._console.print(printable(text), style="dim", markup=False)

    def stopped(self, session: ChatSession) -> None:
        """Say what becomes of what was started."""
        self._spinner.stop()
        super().stopped(session)

    def read(self) -> str:
        """Read a message; raises `EOFError` at the end."""
        self._spinner.stop()
        return self._console.input("[bold cyan]you>[/] ")


def display_for(*, as_json: bool) -> Display:
    """Return the display that suits standard output."""
    if as_json:
        return JsonDisplay()
    return RichDisplay() if sys.stdout.isatty() else Display()
