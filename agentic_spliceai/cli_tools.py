"""`agentic-spliceai tools ...`: list the tools, show one, call one, and serve them to other agents."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic_spliceai.splice_engine.errors import SettingError

if TYPE_CHECKING:
    from agentic_spliceai.tools.interaction import Asker, ToolProgress
    from agentic_spliceai.tools.registry import AnyTool
    from agentic_spliceai.tools.spec import SideEffect

EXIT_OK = 0
_EXAMPLE = "for example: tools call resolve_variant --text minigene-2139-G-A --genome demo"
_HARMLESS = "ends_job, starts_job and spends_money are left out unless they are allowed"


def add_tools(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of `tools`."""
    tools = commands.add_parser("tools", help="list, show, call or serve the tools that workflows are made of")
    actions = tools.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="list the tools")
    listing.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    listing.set_defaults(handler=_list)

    show = actions.add_parser("show", help="show one tool: its arguments and its result")
    show.add_argument("name", metavar="NAME", help="the tool")
    show.add_argument("--schema", action="store_true", help="print the JSON Schemas of arguments and result")
    show.add_argument("--json", dest="as_json", action="store_true", help="the same as --schema")
    show.set_defaults(handler=_show)

    call = actions.add_parser(
        "call",
        help="call one tool and print its result as JSON",
        description="Call one tool and print its result as JSON. Options before the tool's name are of the command, "
        "those after it of the tool; `tools call NAME --help` lists them.",
        epilog=_EXAMPLE,
    )
    call.add_argument(
        "--json", dest="json_arguments", metavar="JSON",
        help="arguments as one JSON object; @FILE reads a file, - standard input",
    )  # fmt: skip
    call.add_argument("--yes", action="store_true", help="start or end a job, or spend money, without being asked")
    call.add_argument(
        "--no-record", dest="keep_record", action="store_false", help="keep neither records nor artifacts"
    )
    call.add_argument("--quiet", action="store_true", help="show no progress")
    call.add_argument("name", metavar="NAME", help="the tool")
    call.add_argument("words", metavar="...", nargs=argparse.REMAINDER, help="the tool's own options, or --json JSON")
    call.set_defaults(handler=_call)

    serve = actions.add_parser("serve", help="serve the tools to other agents (MCP, standard input and output)")
    serve.add_argument("--mcp", action="store_true", help="the protocol; the only one, and the default")
    serve.add_argument("--only", metavar="NAME", nargs="+", help="only these tools")
    serve.add_argument(
        "--allow", metavar="EFFECT", nargs="+", default=[], help=f"side effects that are allowed too; {_HARMLESS}"
    )
    serve.add_argument(
        "--read", metavar="FOLDER", nargs="+", type=Path, default=[],
        help="folders that may be read too, beside the data folder, the mirror and the working folder",
    )  # fmt: skip
    serve.add_argument(
        "--write", metavar="FOLDER", nargs="+", type=Path, default=[],
        help="folders that may be written to too, beside the reports and the data folder",
    )  # fmt: skip
    serve.add_argument(
        "--no-record", dest="keep_record", action="store_false", help="keep neither records nor artifacts"
    )
    serve.set_defaults(handler=_serve)


def _list(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.tools.plain_text import json_text
    from agentic_spliceai.tools.registry import default_registry

    tools = default_registry().values()
    if arguments.as_json:
        rows = [
            {
                "name": t.name,
                "purpose": t.purpose,
                "side_effect": t.side_effect,
                "cost_class": t.cost_class,
                "internal": t.internal,
            }
            for t in tools
        ]
        print(json_text(rows))
        return EXIT_OK
    width = max(len(tool.name) for tool in tools)
    for tool in tools:
        mark = " (internal: a step of workflows, not offered to agents)" if tool.internal else ""
        print(f"{tool.name:<{width}}  {tool.side_effect.value:<14}  {tool.cost_class.value:<7}  {tool.purpose}{mark}")
    return EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.tools.command_line import tool_parser
    from agentic_spliceai.tools.plain_text import json_text
    from agentic_spliceai.tools.registry import default_registry

    tool = default_registry()[arguments.name]
    if arguments.schema or arguments.as_json:
        print(json_text(tool.describe(), indent=2))
        return EXIT_OK
    print(f"{tool.name}: {tool.purpose}\nside effect {tool.side_effect}, takes {tool.cost_class}\n")
    print(tool_parser(tool, f"agentic-spliceai tools call {tool.name}").format_help())
    print("result (JSON):")
    for name, info in tool.result.model_fields.items():
        print(f"  {name}  {info.description}")
    return EXIT_OK


def _call(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.tools.plain_text import json_text
    from agentic_spliceai.tools.registry import default_registry

    tool = default_registry()[arguments.name]
    values = _values(tool, arguments)
    parsed = tool.parse_args(values)
    _may_call(tool, arguments.yes)
    from agentic_spliceai.tools.context import Resources, ToolContext

    listen = _silent if arguments.quiet or not sys.stderr.isatty() else _progress
    context = ToolContext(Resources(), keep_record=arguments.keep_record, ask=_asker(), listen=listen).at(tool.name)
    print(json_text(tool.dump_result(tool.call(parsed, context)), indent=2))
    return EXIT_OK


def _asker() -> Asker:
    """Return who answers a tool's question: the person at the terminal, or nobody."""
    from agentic_spliceai.orchestration.askers import TerminalAsker
    from agentic_spliceai.tools.interaction import no_one

    return TerminalAsker() if sys.stdin.isatty() and sys.stderr.isatty() else no_one


def _values(tool: AnyTool, arguments: argparse.Namespace) -> dict[str, Any]:
    from agentic_spliceai.tools.command_line import arguments_from, tool_parser

    words = list(arguments.words)
    # `call NAME --json ...` is what people write; the parser of the command stops at the tool's name.
    if words[:1] == ["--json"] and len(words) == 2 and arguments.json_arguments is None:
        arguments.json_arguments, words = words[1], []
    elif len(words) == 1 and words[0].startswith("--json=") and arguments.json_arguments is None:
        arguments.json_arguments, words = words[0].removeprefix("--json="), []
    if arguments.json_arguments is None:
        return arguments_from(tool, tool_parser(tool, f"agentic-spliceai tools call {tool.name}"), words)
    if words:
        raise SettingError("The arguments are given twice, as --json and as options.", "Give them once.")
    return _object(_text_of(arguments.json_arguments))


def _text_of(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{given[1:]!r} cannot be read: {error}.", "Check the path after the @.") from error


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"The arguments are no JSON: {error}.", "Give an object, '{\"name\": ...}'.") from None
    if not isinstance(values, Mapping):
        raise SettingError(f"The arguments are {type(values).__name__}, not an object.", "Give '{\"name\": ...}'.")
    return dict(values)


def _may_call(tool: AnyTool, yes: bool) -> None:
    """Ask before a job is started or ended or money is spent; refuse where nobody can be asked."""
    from agentic_spliceai.tools.offered import EFFECTS, HARMLESS

    if yes or tool.side_effect in HARMLESS:
        return
    what = EFFECTS[tool.side_effect]
    if not sys.stdin.isatty():
        raise SettingError(f"The tool {tool.name} {what}, and nobody can be asked here.", "Add --yes to allow it.")
    sys.stderr.write(f"{tool.name} {what}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SettingError(f"{tool.name} was not called.", "Answer y, or add --yes.")


def _serve(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.tools.context import Resources, ToolContext
    from agentic_spliceai.tools.mcp import mcp_server
    from agentic_spliceai.tools.offered import AgentFolders
    from agentic_spliceai.tools.registry import default_registry

    allow = {*_harmless(), *(_effect(name) for name in arguments.allow)}
    context = ToolContext(Resources(), keep_record=arguments.keep_record)
    folders = AgentFolders.of(context.settings, arguments.read, arguments.write)
    server = mcp_server(default_registry(), context, allow, arguments.only, folders=folders)
    server.run(transport="stdio", show_banner=False)
    return EXIT_OK


def _harmless() -> frozenset[SideEffect]:
    from agentic_spliceai.tools.offered import HARMLESS

    return HARMLESS


def _effect(name: str) -> SideEffect:
    from agentic_spliceai.tools.spec import SideEffect

    try:
        return SideEffect(name)
    except ValueError:
        raise SettingError(f"There is no side effect {name!r}.", f"Known: {', '.join(SideEffect)}.") from None


def _silent(progress: ToolProgress) -> None:
    pass


def _progress(progress: ToolProgress) -> None:
    from agentic_spliceai.tools.plain_text import printable

    share = f" {progress.done:g}/{progress.total:g}" if progress.done is not None and progress.total else ""
    sys.stderr.write(f"{printable(progress.message)}{share}\n")
