"""Names and options that a person writes: what is unknown is an error that lists what is near."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from agentic_spliceai.splice_engine.errors import SettingError


def unknown(what: str, name: object, known: Iterable[str]) -> SettingError:
    """Return the error for a name that is not among `known`; the advice lists near names, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    return SettingError(
        f"No {what} is called {name!r}.",
        f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names)}.",
    )


def construct(cls: type[Any], options: Mapping[str, Any], *, what: str) -> Any:
    """Return `cls(**options)`.

    Parameters
    ----------
    cls
        Class to build.
    options
        Its constructor's arguments.
    what
        Name for messages.

    Raises
    ------
    SettingError
        If an option is not an argument of the constructor, or a necessary one is missing.
    """
    parameters = dict(list(inspect.signature(cls.__init__).parameters.items())[1:])
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    if not open_ended:
        for option in options:
            if option not in named:
                raise unknown(f"option of {what}", option, named)
    missing = [name for name, p in named.items() if p.default is p.empty and name not in options]
    if missing:
        raise SettingError(f"{what} needs {', '.join(missing)}.", "Give it among the model's options.")
    return cls(**options)
