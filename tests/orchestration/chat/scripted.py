"""A chat model that says what its script says, streams it, and fails when it is asked for more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

Line = AIMessage | Exception | Callable[[list[BaseMessage]], AIMessage]


class ScriptedModel(BaseChatModel):
    """Plays `script`; `asked` holds what it was given at each call, `tools` the names it was offered."""

    script: list[Any]
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> ScriptedModel:
        self.tools[:] = [tool.name for tool in tools]
        return self

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        self.asked.append(messages)
        assert self.script, "the script is exhausted"
        line = self.script.pop(0)
        if isinstance(line, Exception):
            raise line
        said: AIMessage = line(messages) if callable(line) else line
        return said

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        said = self._next(messages)
        for word in str(said.text).split(" "):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=f"{word} ", id=said.id))
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
        calls = [
            {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": number}
            for number, call in enumerate(said.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                id=said.id,
                tool_call_chunks=calls,
                usage_metadata=said.usage_metadata,
                chunk_position="last",
            )
        )


def says(text: str, *, tokens: tuple[int, int] = (100, 10)) -> AIMessage:
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    return AIMessage(text, usage_metadata=usage)  # type: ignore[arg-type]


def calls(tool: str, number: int = 1, **arguments: Any) -> AIMessage:
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    call = {"name": tool, "args": arguments, "id": f"call_{number}"}
    return AIMessage("", tool_calls=[call], usage_metadata=usage)  # type: ignore[list-item, arg-type]
