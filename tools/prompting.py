"""Prompts: Markdown files with named placeholders, checked when they are loaded and recorded by their digest."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.spec import describe_validation

_FRONT = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
_BRACES = re.compile(r"\{\{|\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_REQUEST = "\n<!-- request -->\n"
_FENCE = re.compile(r"<(?=\s*/?\s*data\b)", re.IGNORECASE)


class PromptError(SpliceEngineError):
    """A prompt is missing or malformed, or was filled with the wrong names."""

    code: ClassVar[str] = "prompt"


class _Header(BaseModel):
    """The front matter of a prompt's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    purpose: str = Field(min_length=1, description="One line.")
    placeholders: dict[str, str] = Field(default_factory=dict, description="Name to what stands there.")
    data: tuple[str, ...] = Field(
        default=(), description="Placeholders whose values come from outside: they are fenced and marked as data."
    )


class Prompt(BaseModel):
    """One prompt.

    `digest` is the sha256 of the whole file: a text that was written with it can be traced to these very words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    purpose: str
    placeholders: dict[str, str]
    data: tuple[str, ...]
    template: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    def render(self, **values: str) -> str:
        """Return the prompt with every placeholder filled.

        Values are put in once: a placeholder inside a value stays as it is.

        Raises
        ------
        PromptError
            If a placeholder has no value, or a value has no placeholder.
        """
        return self._fill(self.template.replace(_REQUEST, "\n"), values)

    def messages(self, **values: str) -> tuple[str, str]:
        """Return what goes into the system message and what goes into the request; raises as `render`.

        The two parts of the file are divided by a line `<!-- request -->`; without it the request is empty.
        """
        system, _, request = self.template.partition(_REQUEST)
        return self._fill(system, values).strip(), self._fill(request, values).strip()

    def _fill(self, text: str, values: dict[str, str]) -> str:
        missing, unknown = set(self.placeholders) - set(values), set(values) - set(self.placeholders)
        if missing or unknown:
            said = [f"no value for {', '.join(sorted(missing))}"] if missing else []
            said += [f"no placeholder {', '.join(sorted(unknown))}"] if unknown else []
            raise PromptError(
                f"the prompt {self.name!r} cannot be filled: {'; '.join(said)}.",
                f"It takes {', '.join(self.placeholders) or 'nothing'}.",
            )

        def value(match: re.Match[str]) -> str:
            name = match[1]
            return fence(name, values[name]) if name in self.data else values[name]

        return _PLACEHOLDER.sub(value, text)


def fence(name: str, value: str) -> str:
    """Return `value` between marks that say that it is data, without anything in it that could end them.

    Control and format characters (zero-width, direction overrides) are left out: a person who reads the prompt sees
    what the model sees.
    """
    kept = "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    # Compatibility forms of the angle brackets would read as fences too.
    plain = kept.translate({0xFF1C: "<", 0xFF1E: ">", 0xFE64: "<", 0xFE65: ">"})
    return f'<data name="{name}">\n{_FENCE.sub("&lt;", plain)}\n</data>'


def parse_prompt(text: str, source: str) -> Prompt:
    """Read a prompt's file.

    Raises
    ------
    PromptError
        If it has no front matter, a field of it is wrong, or placeholders of header and body differ.
    """
    text = text.replace("\r\n", "\n")
    match = _FRONT.match(text)
    if match is None:
        raise _malformed(source, "it does not start with a front matter between two lines '---'")
    try:
        header = _Header.model_validate(yaml.safe_load(match["head"]))
    except yaml.YAMLError as error:
        raise _malformed(source, f"its front matter is no YAML ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        raise _malformed(source, describe_validation(error)) from None
    body = match["body"].strip() + "\n"
    used = set(_PLACEHOLDER.findall(body))
    problems = []
    if stray := _BRACES.findall(_PLACEHOLDER.sub("", body)):
        problems.append(f"{len(stray)} double braces in it are no placeholder")
    if undeclared := used - set(header.placeholders):
        problems.append(f"{', '.join(sorted(undeclared))} is used and not declared")
    if unused := set(header.placeholders) - used:
        problems.append(f"{', '.join(sorted(unused))} is declared and not used")
    if foreign := set(header.data) - set(header.placeholders):
        problems.append(f"{', '.join(sorted(foreign))} is marked as data and is no placeholder")
    if not body.strip():
        problems.append("it is empty")
    if problems:
        raise _malformed(source, "; ".join(problems))
    return Prompt(
        name=header.name,
        purpose=header.purpose,
        placeholders=header.placeholders,
        data=header.data,
        template=body,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def load_prompt(name: str, folder: Traversable | None = None) -> Prompt:
    """Return the prompt `name`.

    Parameters
    ----------
    name
        File name without `.md`.
    folder
        Where the prompts are; by default those that ship with the package.

    Raises
    ------
    PromptError
        If there is none, or it is malformed.
    """
    return _shipped(name) if folder is None else _load(name, folder)


def prompt_names(folder: Traversable | None = None) -> tuple[str, ...]:
    """Return the names of all prompts."""
    folder = folder or files("agentic_spliceai.prompts")
    return tuple(sorted(entry.name[:-3] for entry in folder.iterdir() if entry.name.endswith(".md")))


@lru_cache(maxsize=32)
def _shipped(name: str) -> Prompt:
    return _load(name, files("agentic_spliceai.prompts"))


def _load(name: str, folder: Traversable) -> Prompt:
    known = prompt_names(folder)
    # The name comes from code, but a path in it would leave the folder.
    if _NAME.fullmatch(name) is None or name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Known prompts: {', '.join(known)}."
        raise PromptError(f"there is no prompt {name!r}.", advice)
    try:
        text = folder.joinpath(f"{name}.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"the prompt {name!r} cannot be read ({error}).", "Install the package again.") from error
    prompt = parse_prompt(text, f"{name}.md")
    if prompt.name != name:
        raise _malformed(f"{name}.md", f"its front matter names it {prompt.name!r}")
    return prompt


def _malformed(source: str, what: str) -> PromptError:
    return PromptError(f"the prompt {source} is malformed: {what}.", "Mend the file.")
