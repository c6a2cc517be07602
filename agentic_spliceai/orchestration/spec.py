"""The shape of a workflow in YAML.

```yaml
version: 1
name: interpret_variant
description: One line.
inputs:
  variant: {type: string, description: The variant., default: chr1-100-A-G}
nodes:
  - name: resolve
    use: resolve_variant
    with: {text: $inputs.variant, genome: demo}
    retry: {attempts: 3, wait: 1.0}
    timeout: 60
edges:
  - {from: START, to: resolve}
  - {from: resolve, when: $resolve.is_demo, routes: {"true": END, "false": END}}
outputs:
  variant: $resolve.variant
```

A run is one walk from START to END: a node has one edge out, plain or with routes, and there are no cycles.
A value of `with` is a literal or a reference, `$inputs.NAME` or `$NODE.FIELD`, with further fields after further dots.
A reference that ends in `?` may speak of a node that this walk did not visit: the argument then keeps its default. A
literal that begins with a dollar sign is written with two.

A node with `each` and `as` calls its tool for every item of a list, `parallel` at once, and its result is `items`, in
the list's order:

```yaml
  - {name: triage, use: triage_chunk, each: $read.chunks, as: chunk, parallel: 4, with: {genome: $inputs.genome}}
  - {name: join, use: join_triage, with: {chunks: $triage.items}}
```
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

START = "START"
END = "END"
INPUTS = "inputs"

InputType = Literal["string", "integer", "number", "boolean"]
Scalar = str | int | float | bool


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class InputSpec(_Part):
    """One input of a workflow."""

    type: InputType = Field(description="Type of the value.")
    description: str = Field(min_length=1, description="What it is, for a person.")
    default: Scalar | None = Field(
        default=None,
        description="Taken when the input is not given; null allows null. Without it, it must be given.",
    )
    choices: list[Scalar] | None = Field(default=None, min_length=1, description="The only values allowed.")

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return "default" not in self.model_fields_set

    @property
    def nullable(self) -> bool:
        """Whether the value may be null."""
        return not self.required and self.default is None


class RetrySpec(_Part):
    """How often a step is tried when a download or a file system fails for the moment."""

    attempts: int = Field(ge=2, le=10, description="Attempts in all, the first included.")
    wait: float = Field(default=1.0, ge=0, le=600, description="Seconds before the second attempt; doubled each time.")


class NodeSpec(_Part):
    """One step: a tool and its arguments."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Names the step in edges and references.")
    use: str = Field(min_length=1, description="Name of a tool.")
    with_: dict[str, JsonValue] = Field(
        default_factory=dict, alias="with", description="Arguments: literals or references."
    )
    retry: RetrySpec | None = Field(
        default=None, description="Tries again after a transient failure, but not after a time-out."
    )
    timeout: float | None = Field(
        default=None, gt=0, description="Seconds after which the step, or one item of it, fails."
    )
    each: str | None = Field(default=None, description="Reference to a list: the tool is called for each of its items.")
    as_: str | None = Field(default=None, alias="as", description="Argument of the tool that gets the item.")
    parallel: int = Field(default=1, ge=1, le=64, description="How many items are worked on at once.")


class EdgeSpec(_Part):
    """Where a step leads: `from` and `to`, or `from`, `when` and `routes`."""

    from_: str = Field(alias="from", description="START or a node.")
    to: str | None = Field(default=None, description="A node or END.")
    when: str | None = Field(default=None, description="Reference to a value with few possible values.")
    routes: dict[str, str] | None = Field(default=None, description="Where each of them leads: a node or END.")

    @property
    def targets(self) -> tuple[str, ...]:
        """Where it may lead."""
        return (self.to,) if self.to is not None else tuple((self.routes or {}).values())


class GraphSpec(_Part):
    """A workflow."""

    version: Literal[1] = Field(description="Version of this format.")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Names the workflow in records.")
    description: str = Field(min_length=1, description="What it does, for a person.")
    inputs: dict[str, InputSpec] = Field(default_factory=dict, description="What may be set when it is run.")
    nodes: list[NodeSpec] = Field(min_length=1, description="The steps.")
    edges: list[EdgeSpec] = Field(min_length=1, description="Their order.")
    outputs: dict[str, str] = Field(default_factory=dict, description="References to what the workflow gives back.")

    def node(self, name: str) -> NodeSpec:
        """Return the node called `name`."""
        return next(node for node in self.nodes if node.name == name)
