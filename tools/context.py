"""What tools share: the settings, and genomes, models, artifacts and records that are opened once and kept."""

from __future__ import annotations

import copy
import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentic_spliceai.records.artifacts import ArtifactStore, TemporaryArtifactStore
from agentic_spliceai.settings import Settings, get_settings
from agentic_spliceai.tools.interaction import Asker, Listener, NoPlanner, Planner, TextWriter, no_one, nobody_listens

if TYPE_CHECKING:
    from agentic_spliceai.compute.manager import JobManager
    from agentic_spliceai.records.store import RecordStore
    from agentic_spliceai.splice_engine.base_layer.model import BaseModel
    from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
    from agentic_spliceai.splice_engine.resources import Progress, ResourceResolver

Opened = TypeVar("Opened")


class Resources:
    """Genomes, base models and stores of one process, opened when first asked for and kept; safe to share by threads.

    Parameters
    ----------
    settings
        Where things are; by default those of the environment.
    progress
        Hears of downloads.
    """

    def __init__(self, settings: Settings | None = None, *, progress: Progress | None = None) -> None:
        self.settings = settings or get_settings()
        self._progress = progress
        self._lock = threading.RLock()
        self._opened: dict[tuple[object, ...], Any] = {}

    @cached_property
    def resolver(self) -> ResourceResolver:
        """Finds weights, genomes and annotation, or fetches them."""
        from agentic_spliceai.splice_engine.resources import ResourceResolver

        return ResourceResolver(
            self.settings.data_dir,
            mirror=self.settings.mirror,
            allow_download=self.settings.allow_download,
            progress=self._progress,
        )

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Files by their sha256."""
        return ArtifactStore(self.settings.artifacts_dir)

    @cached_property
    def records(self) -> RecordStore:
        """The database of runs."""
        from agentic_spliceai.records.store import RecordStore

        return RecordStore(self.settings.database_url)

    @cached_property
    def jobs(self) -> JobManager:
        """Starts, follows and ends jobs."""
        from agentic_spliceai.compute.manager import JobManager
        from agentic_spliceai.compute.registry import backends

        return JobManager(self.records.jobs, backends(self.settings.jobs_dir))

    def genome(self, name: str, annotation: str | None = None) -> GenomeBundle:
        """Return the genome called `name` (or the FASTA at that path) with its annotation; raises as `open_genome`."""
        from agentic_spliceai.splice_engine.genome.bundle import open_genome

        path = Path(annotation).expanduser() if annotation is not None else None
        return self.once(
            ("genome", name, path),
            lambda: open_genome(name, self.resolver, annotation=path, cache_dir=self.settings.cache_dir),
        )

    def base_model(self, name: str, weights: str | None = None) -> BaseModel:
        """Return the base model called `name` on the device of the settings; raises as `load_base_model`.

        Parameters
        ----------
        name
            Name in the registry.
        weights
            A file, or a folder with all files of the entry, instead of the usual search.
        """
        path = Path(weights).expanduser() if weights is not None else None

        def load() -> BaseModel:
            import torch

            from agentic_spliceai.splice_engine.base_layer.registry import load_base_model

            if self.settings.threads is not None:
                torch.set_num_threads(self.settings.threads)
            return load_base_model(name, self.resolver, device=self.settings.device, weights=path)

        return self.once(("base_model", name, path), load)

    def once(self, key: tuple[object, ...], make: Callable[[], Opened]) -> Opened:
        """Return what was opened under `key`, calling `make` the first time."""
        with self._lock:
            if key not in self._opened:
                self._opened[key] = make()
            opened: Opened = self._opened[key]
            return opened


class ToolContext:
    """What one run of tools sees.

    Parameters
    ----------
    resources
        Shared with other runs of the process.
    run_id
        Names the run in records and reports; a new one by default.
    keep_record
        Whether tools may write into the database and the artifact store. Without, artifacts are kept in a temporary
        folder, as long as this context lives.
    started_at
        When the run started, UTC.
    ask
        Asks a person; by default nobody can be asked.
    writer
        A language model for prose; None for texts that rules write.
    planner
        Turns requests into plans; by default there is none.
    listen
        Hears how far a tool is.

    Attributes
    ----------
    timings
        Seconds by step, filled by whoever runs the steps.
    step
        Name of the step that runs; part of `key`.
    """

    def __init__(
        self,
        resources: Resources | None = None,
        *,
        run_id: str | None = None,
        keep_record: bool = True,
        started_at: datetime | None = None,
        ask: Asker = no_one,
        writer: TextWriter | None = None,
        planner: Planner | None = None,
        listen: Listener = nobody_listens,
    ) -> None:
        self.resources = resources or Resources()
        self.started_at = started_at or datetime.now(UTC)
        self.run_id = run_id or new_run_id()
        self.keep_record = keep_record
        self._own_artifacts = None if keep_record else TemporaryArtifactStore()
        self.timings: dict[str, float] = {}
        self.ask = ask
        self.writer = writer
        self.planner: Planner = planner or NoPlanner()
        self.listen = listen
        self.step = ""

    def at(self, step: str, *, ask: Asker | None = None, listen: Listener | None = None) -> ToolContext:
        """Return this context as one step sees it; everything else is shared."""
        seen = copy.copy(self)
        seen.step = step
        seen.ask = ask or self.ask
        seen.listen = listen or self.listen
        return seen

    def key(self, *parts: str) -> str:
        """Return a key that a repeated call of this step in this run gives again, so that an effect happens once."""
        return hashlib.sha256("\x1f".join((self.run_id, self.step, *parts)).encode()).hexdigest()

    @property
    def jobs(self) -> JobManager:
        """Starts, follows and ends jobs."""
        return self.resources.jobs

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.resources.settings

    @property
    def artifacts(self) -> ArtifactStore:
        """Files by their sha256."""
        return self._own_artifacts or self.resources.artifacts

    @property
    def records(self) -> RecordStore:
        """The database of runs."""
        return self.resources.records


def new_run_id() -> str:
    """Return a new id, 12 hexadecimal digits."""
    return secrets.token_hex(6)
