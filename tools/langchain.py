"""Tools for language models: each one a LangChain tool. The only module of the tools that knows LangChain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.failure import ToolFailure, attempt, failure_of
from agentic_spliceai.tools.offered import HARMLESS, LARGEST, AgentFolders, content_of, description, ids_in, offered
from agentic_spliceai.tools.plain_text import json_text
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import SideEffect

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

#: Gives the context of one call; a model may call several tools at once.
ContextOf = Callable[[AnyTool], ToolContext]


def as_langchain_tools(
    registry: Mapping[str, AnyTool],
    context: ToolContext,
    allow: Collection[SideEffect] = HARMLESS,
    names: Iterable[str] | None = None,
    *,
    largest: int = LARGEST,
    context_of: ContextOf | None = None,
    folders: AgentFolders | None = None,
) -> list[BaseTool]:
    """Return tools for a chat model: the same definitions, arguments and results as everywhere else.

    A call's content is the result as compact JSON, its artifact the ids in it. What goes wrong, malformed arguments
    included, is a message with status `error` whose content is a `ToolFailure`; only a pause to ask a person and
    the end of the process leave a tool as exceptions.

    Parameters
    ----------
    registry
        All tools.
    context
        What the tools see; each call sees it under the tool's name as its step.
    allow
        Side effects that a model may have; by default none that starts or ends a job or spends money.
    names
        Only these tools.
    largest
        Characters of a content; a larger result is kept as an artifact and referred to.
    context_of
        Gives another context for each call, for example one that shows progress.
    folders
        Where a model may have files read and written; by default `AgentFolders.of` the context's settings.

    Raises
    ------
    UnknownToolError, SettingError
        As `tools.offered.offered`.
    """
    make = context_of or (lambda tool: context.at(tool.name))
    within = folders or AgentFolders.of(context.settings)
    return [_wrapped(tool, make, largest, within) for tool in offered(registry, allow, names)]


def _wrapped(tool: AnyTool, context_of: ContextOf, largest: int, folders: AgentFolders) -> BaseTool:
    from langchain_core.runnables.config import ensure_config
    from langchain_core.tools import BaseTool, ToolException
    from langgraph.errors import GraphBubbleUp

    def shown(error: ToolException) -> str:
        return str(error)

    class SpliceTool(BaseTool):
        """One tool of this package; arguments go to it as they came, so that it checks them strictly itself."""

        def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            if not _is_malformed(input):
                return super().invoke(input, config, **kwargs)
            return self.run(_text(input), **_settings(input, config), **kwargs)

        async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            if not _is_malformed(input):
                return await super().ainvoke(input, config, **kwargs)
            return await self.arun(_text(input), **_settings(input, config), **kwargs)

        def _to_args_and_kwargs(
            self, tool_input: str | dict[str, Any], tool_call_id: str | None
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            return (tool_input,), {}

        def _run(self, given: object) -> tuple[str, dict[str, Any]]:
            context = context_of(tool)
            outcome = attempt(tool, given, context, check=folders.check, pass_on=(GraphBubbleUp,))
            if isinstance(outcome, ToolFailure):
                raise _failed(outcome)
            try:
                content = content_of(outcome, context, largest)
            except Exception as error:
                raise _failed(failure_of(error)) from error
            return content, {"tool": tool.name, "ids": ids_in(outcome)}

    def _settings(call: Any, config: RunnableConfig | None) -> dict[str, Any]:
        settled = ensure_config(config)
        names = ("callbacks", "tags", "metadata", "run_name")
        about = call if isinstance(call, Mapping) else {}
        return {name: settled.get(name) for name in names} | {"config": settled, "tool_call_id": about.get("id")}

    def _failed(failure: ToolFailure) -> ToolException:
        return ToolException(json_text({"error": failure.model_dump(mode="json")}))

    return SpliceTool(
        name=tool.name,
        description=description(tool),
        args_schema=tool.args,
        response_format="content_and_artifact",
        handle_tool_error=shown,
        metadata={"side_effect": tool.side_effect.value, "cost_class": tool.cost_class.value},
    )


def _is_malformed(given: object) -> bool:
    """Whether a model's call has no object of arguments: LangChain copies it before anything can refuse it."""
    if isinstance(given, Mapping) and given.get("type") == "tool_call":
        return not isinstance(given.get("args"), dict)
    return not isinstance(given, str | dict)


def _text(given: Any) -> str:
    """Return what stands in place of a call's arguments, as the text that the tool then reads or refuses."""
    arguments = given.get("args") if isinstance(given, Mapping) else given
    return arguments if isinstance(arguments, str) else repr(arguments)
