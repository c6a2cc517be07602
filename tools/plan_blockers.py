"""What keeps a plan from running at all, found without loading, downloading or starting anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentic_spliceai.compute.errors import UnknownBackendError
from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.splice_engine.base_layer.registry import base_models, find_entry
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import dataset_file, find_dataset
from agentic_spliceai.tools.context import ToolContext

if TYPE_CHECKING:
    from agentic_spliceai.records.plan import ExperimentPlan


def blockers_of(plan: ExperimentPlan, context: ToolContext) -> tuple[str, ...]:
    """Return why the plan cannot run, a sentence each; empty where nothing speaks against it.

    Data, weights and devices are looked for where the jobs run on this machine; what another machine has is not known
    here.
    """
    return tuple(dict.fromkeys(_blockers(plan, context)))


def _blockers(plan: ExperimentPlan, context: ToolContext) -> Iterator[str]:
    try:
        backend = context.jobs.backend(plan.backend)
    except UnknownBackendError as error:
        yield str(error)
        return
    if plan.backend != LocalBackend.name:
        return
    if plan.device == "cuda" and isinstance(backend, LocalBackend) and not backend.devices:
        yield "this machine has no GPU that CUDA can use. Take the device cpu, or another backend."
    if plan.device == "mps" and sys.platform != "darwin":
        yield "the device mps is of Apple machines only. Take the device cpu."
    for name in dict.fromkeys(arm.spec.dataset for arm in plan.arms):
        try:
            dataset_file(find_dataset(name), context.resources.resolver)
        except SpliceEngineError as error:
            yield str(error)
    for name in dict.fromkeys(arm.spec.base_model for arm in plan.arms):
        try:
            yield from _missing_weights(name, context)
        except SpliceEngineError as error:
            yield str(error)


def _missing_weights(name: str, context: ToolContext) -> Iterator[str]:
    resolver = context.resources.resolver
    entry = find_entry(name, base_models(resolver.data_dir / "base_models.yaml"))
    files = [entry.resource(file) for file in entry.files]
    missing = [file for file in files if resolver.locate(file) is None]
    if any(file.url is None for file in missing):
        yield (
            f"the weights of the base model {name} are not on this machine ({missing[0].paths[0]}), and cannot be "
            "downloaded. Set AGENTIC_SPLICEAI_MIRROR to a folder that has them, or take another base model."
        )
    elif missing and not resolver.allow_download:
        yield (
            f"the weights of the base model {name} are not on this machine ({missing[0].paths[0]}), and downloads are "
            "off. Allow downloads, or set AGENTIC_SPLICEAI_MIRROR to a folder that has them."
        )
