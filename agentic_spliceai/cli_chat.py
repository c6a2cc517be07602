"""`agentic-spliceai chat`: plan experiments, run them after approval, and ask about what was found.

On a terminal lines are read with a prompt; otherwise each line of standard input is a message, so that a script can
hold the conversation. While a plan waits, `approve` or `reject` is the answer to it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from agentic_spliceai.tools.plain_text import json_text, printable

if TYPE_CHECKING:
    from agentic_spliceai.orchestration.chat.display import Display
    from agentic_spliceai.orchestration.chat.events import ChatEvent
    from agentic_spliceai.orchestration.chat.session import ChatSession, Engine
    from agentic_spliceai.tools.context import Resources
    from agentic_spliceai.tools.interaction import TextWriter

EXIT_OK, EXIT_INTERRUPTED = 0, 130
_LEAVE = frozenset({"exit", "quit", "bye", ":q", "/exit", "/quit"})


def add_chat(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `chat` command."""
    parser = commands.add_parser(
        "chat",
        help="plan experiments, run them after approval, ask about results",
        description="Plan experiments, run them after approval, ask about results. Without --model an offline planner "
        "understands requests in the field's words; no key and no network are needed.",
    )
    parser.add_argument(
        "--model",
        metavar="PROVIDER:NAME",
        help="chat model, such as openai:NAME, anthropic:NAME or ollama:NAME; its key comes from the environment",
    )
    parser.add_argument("--base-url", metavar="URL", help="server of the model, such as http://127.0.0.1:8000/v1")
    parser.add_argument(
        "--price",
        metavar="IN,OUT",
        help="the model's price, US dollars a million tokens read and written, for the cost in the status line",
    )
    parser.add_argument("--list", dest="list_sessions", action="store_true", help="list conversations, latest first")
    parser.add_argument("--resume", metavar="ID", help="go on with a conversation: its id, or 'latest'")
    parser.add_argument("--approve", action="store_true", help="approve plans, unasked: for unattended use")
    parser.add_argument(
        "--once", metavar="TEXT", action="append", default=[], help="send this message and exit; may be repeated"
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="print events as JSON, one a line")
    parser.set_defaults(handler=_chat)


def _chat(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.askers import approve_all
    from agentic_spliceai.orchestration.chat.display import display_for
    from agentic_spliceai.orchestration.chat.session import ChatSession
    from agentic_spliceai.tools.context import Resources
    from agentic_spliceai.tools.experiments import person
    from agentic_spliceai.tools.interaction import no_one

    resources = Resources()
    if arguments.list_sessions:
        return _list(resources, as_json=arguments.as_json)
    engine, writer = _engine(arguments, resources)
    display = display_for(as_json=arguments.as_json)
    with ChatSession(
        resources,
        session_id=arguments.resume,
        engine=engine,
        ask=approve_all if arguments.approve else no_one,
        writer=writer,
        user=person(),
    ) as session:
        display.begin(session)
        if arguments.resume is not None and not _show(session.catch_up(), session, display):
            return EXIT_INTERRUPTED
        return _talk(session, display, _messages(arguments, display), interactive=_at_a_terminal(arguments))


def _talk(session: ChatSession, display: Display, messages: Iterable[str], *, interactive: bool) -> int:
    for text in messages:
        if not text.strip():
            continue
        if text.strip().lower() in _LEAVE:
            break
        if not _show(session.send(text), session, display) and not interactive:
            return EXIT_INTERRUPTED
    display.end(session)
    return EXIT_OK


def _show(events: Iterator[ChatEvent], session: ChatSession, display: Display) -> bool:
    """Show a turn; False where Ctrl-C ended it. What it started goes on."""
    try:
        for event in events:
            display.show(event)
    except KeyboardInterrupt:
        display.stopped(session)
        return False
    return True


def _engine(arguments: argparse.Namespace, resources: Resources) -> tuple[Engine | None, TextWriter | None]:
    """Return the language model that was asked for; none for the offline planner."""
    from agentic_spliceai.splice_engine.errors import SettingError

    if arguments.model is None:
        if arguments.base_url is not None or arguments.price is not None:
            raise SettingError("--base-url and --price belong to a model.", "Name it: --model openai:NAME.")
        return None, None
    from agentic_spliceai.orchestration.chat.model import ModelEngine
    from agentic_spliceai.orchestration.chat.providers import Price, open_model
    from agentic_spliceai.orchestration.chat.writer import ModelWriter

    model = open_model(arguments.model, base_url=arguments.base_url)
    price = Price.parse(arguments.price) if arguments.price is not None else None
    engine = ModelEngine(model, name=arguments.model, price=price)
    return engine, ModelWriter(model, name=arguments.model)


def _messages(arguments: argparse.Namespace, display: Display) -> Iterator[str]:
    if arguments.once:
        yield from arguments.once
    elif _at_a_terminal(arguments):
        while True:
            try:
                yield display.read()
            except EOFError:
                return
            except KeyboardInterrupt:
                display.note("Ctrl-D or 'exit' leaves.")
    else:
        for line in sys.stdin:
            text = line.rstrip("\n")
            display.echo(text)
            yield text


def _at_a_terminal(arguments: argparse.Namespace) -> bool:
    return not arguments.once and not arguments.as_json and sys.stdin is not None and sys.stdin.isatty()


def _list(resources: Resources, *, as_json: bool) -> int:
    found = resources.records.sessions.list()
    for one in found:
        if as_json:
            print(json_text(one.model_dump(mode="json")))
            continue
        title = printable(one.title) or "(nothing said yet)"
        print(
            f"{one.id}  {one.updated_at.astimezone():%Y-%m-%d %H:%M}  {printable(one.model)}  "
            f"{one.tool_calls} tool calls  ${one.cost_usd:.2f}  {title}"
        )
    if not found and not as_json:
        print("no conversations")
    resources.records.close()
    return EXIT_OK
