"""The tools by name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from agentic_spliceai.tools.spec import ToolDefinitionError, ToolSpec, UnknownToolError

AnyTool = ToolSpec[Any, Any]

#: Modules of this package that hold a `TOOL`, in the order in which a walk of one variant uses them.
_MODULES = (
    "resolve_variant",
    "locate_genes",
    "score_variant",
    "triage_variant",
    "predict_delta",
    "infer_consequence",
    "suggest_codes",
    "compose_interpretation",
    "gather_evidence",
    "write_summary",
    "complete_interpretation",
    "render_report",
    "record_run",
    "interpret_variant",
    "saturate_region",
    "predict_tracks",
    "split_vcf",
    "triage_chunk",
    "join_triage",
    "record_triage",
    "load_artifacts",
    "prepare_data",
    "lookup_known_variants",
    "lookup_result",
    "make_plan",
    "plan_one",
    "estimate_plan",
    "request_approval",
    "await_approval",
    "record_approval",
    "submit_plan",
    "follow_jobs",
    "collect_results",
    "compare_experiments",
    "decide_experiment",
    "explain_result",
    "choose_runs",
    "list_experiments",
    "train",
    "evaluate",
    "list_jobs",
    "cancel_job",
    "job_logs",
    "job_status",
)


class ToolRegistry(Mapping[str, AnyTool]):
    """A read-only mapping of names to tools; an unknown name is an `UnknownToolError` with a near match."""

    def __init__(self, tools: Iterable[AnyTool]) -> None:
        self._tools: dict[str, AnyTool] = {}
        for tool in tools:
            if not isinstance(tool, ToolSpec):
                raise ToolDefinitionError(f"{tool!r} is no ToolSpec")
            if tool.name in self._tools:
                raise ToolDefinitionError(f"two tools are named {tool.name!r}")
            self._tools[tool.name] = tool

    def __getitem__(self, name: str) -> AnyTool:
        try:
            return self._tools[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._tools, n=1)
            advice = f"Did you mean {near[0]!r}?" if near else f"Known tools: {', '.join(self._tools)}."
            raise UnknownToolError(f"there is no tool {name!r}.", advice) from None

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)


@lru_cache(maxsize=1)
def default_registry() -> ToolRegistry:
    """Return the registry of the tools that ship with the package."""
    return ToolRegistry(importlib.import_module(f"agentic_spliceai.tools.{name}").TOOL for name in _MODULES)
