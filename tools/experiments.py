"""Parts that the tools about experiments share."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.types import PYTHON, JobSpec
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import ToolModel

if TYPE_CHECKING:
    from agentic_spliceai.records.plan import Arm

PLAN = "Id of a recorded plan, or an unambiguous beginning of it."

#: What a job of an experiment leaves that is worth keeping.
OUTPUTS = (
    "result.json",
    "metrics.jsonl",
    "evaluation.json",
    "scores.npz",
    "*.md",
    "ensemble/*.safetensors",
    "checkpoints/*.safetensors",
)


class PlanError(SpliceEngineError):
    """A plan lacks something, or cannot be carried out as it is."""

    code: ClassVar[str] = "plan"


class NotApprovedError(SpliceEngineError):
    """Work that needs a person's approval was asked for without it."""

    code: ClassVar[str] = "not_approved"


class SubmittedArm(ToolModel):
    """One arm of a plan, as it was submitted."""

    label: str = Field(description="The arm.")
    run_id: str = Field(description="Its experiment run.")
    job_id: str = Field(description="Its job.")


def job_of(plan: ExperimentPlan, arm: Arm, key: str, context: ToolContext) -> JobSpec:
    """Return the job that trains and evaluates one arm.

    Its command is the same on every backend. What this machine's settings say (folders, mirror, threads) goes with a
    local job only.
    """
    environment = {"AGENTIC_SPLICEAI_DEVICE": plan.device}
    if plan.backend == "local":
        environment |= _local_settings(context)
    seats = len(plan.arms)
    return JobSpec(
        key=key,
        name=f"{arm.spec.name}: {arm.label}",
        command=(PYTHON, "-m", "agentic_spliceai.worker", "experiment", "spec.json"),
        environment=environment,
        files={"spec.json": json.dumps(arm.spec.model_dump(mode="json"), indent=1, sort_keys=True)},
        outputs=OUTPUTS,
        gpus=_gpus(plan, context),
        time_limit=plan.time_limit_hours * 3600,
        budget_usd=plan.budget_usd / seats,
    )


def _gpus(plan: ExperimentPlan, context: ToolContext) -> int:
    """Return how many GPUs an arm asks for: a job that asks for none on this machine does not see any."""
    if plan.device == "auto" and plan.backend == "local":
        backend = context.jobs.backend(plan.backend)
        return int(isinstance(backend, LocalBackend) and bool(backend.devices))
    return int(plan.device == "cuda")


def person() -> str:
    """Return the name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or no way to tell (containers)
        return "unknown user"


def results_folder(run_id: str, context: ToolContext) -> Path:
    """Return where the files of an experiment run are put."""
    return context.settings.data_dir / "experiments" / run_id


def _local_settings(context: ToolContext) -> dict[str, str]:
    settings = context.settings
    values = {
        "AGENTIC_SPLICEAI_DATA_DIR": str(settings.data_dir.absolute()),
        "AGENTIC_SPLICEAI_CACHE_DIR": str(settings.cache_dir.absolute()),
        "AGENTIC_SPLICEAI_ALLOW_DOWNLOAD": str(settings.allow_download).lower(),
        "PYTHONUNBUFFERED": "1",
    }
    if settings.mirror is not None:
        values["AGENTIC_SPLICEAI_MIRROR"] = str(settings.mirror.absolute())
    if settings.threads is not None:
        values["AGENTIC_SPLICEAI_THREADS"] = str(settings.threads)
    if sys.flags.dev_mode:
        values["PYTHONDEVMODE"] = "1"
    return values
