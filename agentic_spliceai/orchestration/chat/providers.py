"""Chat models by name, through `init_chat_model`; what is missing is said with the extra that brings it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from agentic_spliceai.splice_engine.errors import MissingExtraError, SettingError, SpliceEngineError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

#: Provider -> (module that speaks to it, extra that brings the module, variable with its key).
_PROVIDERS: Mapping[str, tuple[str, str, str | None]] = {
    "openai": ("langchain_openai", "chat", "OPENAI_API_KEY"),
    "anthropic": ("langchain_anthropic", "anthropic", "ANTHROPIC_API_KEY"),
    "ollama": ("langchain_ollama", "ollama", None),
}

#: Seconds that one answer may take.
TIMEOUT = 120.0


class ModelError(SpliceEngineError):
    """The language model cannot be reached, refused, or answered with nothing usable."""

    code: ClassVar[str] = "model"


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens."""

    read: float
    written: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 'IN,OUT'.

        Raises
        ------
        SettingError
            If it is none.
        """
        parts = text.split(",")
        try:
            read, written = (float(part) for part in parts)
        except ValueError:
            raise SettingError(f"--price {text!r} is no price.", "Give two numbers, such as 0.15,0.60.") from None
        if read < 0 or written < 0:
            raise SettingError(f"--price {text!r} is below zero.", "Give two numbers from 0 on.")
        return cls(read, written)

    def cost(self, read: int, written: int) -> float:
        """Return what so many tokens cost."""
        return (read * self.read + written * self.written) / 1e6


def open_model(name: str, *, base_url: str | None = None, **options: Any) -> BaseChatModel:
    """Return a chat model.

    Parameters
    ----------
    name
        `openai:NAME` (any server that speaks OpenAI's chat protocol, by its base URL), `anthropic:NAME`, `ollama:NAME`.
    base_url
        The server; by default the provider's own.
    options
        More arguments of the client.

    Raises
    ------
    SettingError
        If the provider is unknown, or its key is missing.
    MissingExtraError
        If a package is missing; the advice names the extra.
    """
    provider, colon, model = name.partition(":")
    if not colon or not model:
        raise SettingError(f"--model {name!r} names no provider.", "Write for example openai:NAME or ollama:NAME.")
    if provider not in _PROVIDERS:
        raise SettingError(f"--model {name!r}: {provider!r} is unknown.", f"Known: {', '.join(_PROVIDERS)}.")
    module, extra, key = _PROVIDERS[provider]
    for needed, brought_by in (("langchain", "chat"), (module, extra)):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtraError(
                f"{name} needs the package {needed}, which is not installed.",
                f"Install it: pip install 'agentic-spliceai[{brought_by}]'.",
            )
    from langchain.chat_models import init_chat_model

    # Retries are the agent's, counted and limited there.
    arguments: dict[str, Any] = {"timeout": TIMEOUT, "max_retries": 0} if provider != "ollama" else {}
    if base_url is not None:
        arguments["base_url"] = base_url
    if provider == "openai":
        arguments |= {"use_responses_api": False, "stream_usage": True}
    if key is not None and not os.environ.get(key):
        if base_url is None:
            raise SettingError(f"{name} needs a key in the environment variable {key}.", f"Set {key}, or --base-url.")
        arguments["api_key"] = "none"  # a server of one's own asks for none
    opened: BaseChatModel = init_chat_model(model, model_provider=provider, **(arguments | options))
    return opened


def explained(error: Exception, name: str) -> ModelError:
    """Return what a provider's client raised as an error that a person can act on."""
    text = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    status = getattr(error, "status_code", None)
    if status == 401 or status == 403:
        advice = "Check the key in the environment."
    elif status == 429:
        advice = "The provider limits calls: wait, then send the message again."
    elif "timeout" in kind.lower():
        advice = "The model took too long: send the message again, or take another model."
    else:
        advice = "Send the message again, or go on without --model: the offline planner needs none."
    return ModelError(f"{name} gave no answer ({kind}: {text}).", advice)
