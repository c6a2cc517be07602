"""The program's settings: one strict object, filled from the environment (prefix `AGENTIC_SPLICEAI_`)."""

from __future__ import annotations

import difflib
import os
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentic_spliceai.splice_engine.errors import SettingError

PREFIX = "AGENTIC_SPLICEAI_"
_APP = "agentic-spliceai"

#: Variables with our prefix that say something to a process and are no setting.
_NO_SETTINGS = frozenset({f"{PREFIX}JOB_ID"})


class Settings(BaseSettings):
    """Where things are and what is allowed. Every field can be set as `AGENTIC_SPLICEAI_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    mirror: Path | None = Field(
        default=None, description="Folder with a local copy of genomes, annotation and weights."
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path(_APP), description="Folder of downloads, artifacts and the database."
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path(_APP), description="Folder of what can be made again at any time."
    )
    reports_dir: Path = Field(default=Path("reports"), description="Folder that reports are written to.")
    database_url: str = Field(
        default_factory=lambda data: f"sqlite:///{data['data_dir'] / 'records.sqlite'}",
        description="SQLAlchemy URL of the run records; by default a SQLite file in the data folder.",
    )
    allow_download: bool = Field(default=True, description="Whether missing files may be downloaded.")
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:N or mps."
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads of the network; by default torch decides.")

    @field_validator("mirror", "data_dir", "cache_dir", "reports_dir")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @field_validator("mirror")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise PydanticCustomError("no_folder", "there is no such folder")
        return value

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the content-addressed artifact store."""
        return self.data_dir / "artifacts"

    @property
    def jobs_dir(self) -> Path:
        """Folder of jobs on this machine: what they read, print and leave."""
        return self.data_dir / "jobs"

    @property
    def checkpoints_url(self) -> str:
        """Where workflows keep their state between steps: beside the records."""
        return f"sqlite:///{self.data_dir / 'checkpoints.sqlite'}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process; `reset_settings` makes the next call read the environment again.

    Raises
    ------
    SettingError
        If a variable has a value that cannot be used, or starts with the prefix and names no setting.
    """
    _reject_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{'_'.join(str(part) for part in first['loc']).upper()}"
        raise SettingError(
            f"{name}={first['input']!r}: {first['msg'].lower()}.",
            f"Correct or unset the environment variable {name}.",
        ) from None


def reset_settings() -> None:
    """Forget the settings that were read, so that the next `get_settings` reads the environment again."""
    get_settings.cache_clear()


def _reject_unknown_variables() -> None:
    """Refuse a misspelt variable: pydantic-settings ignores unknown names in the environment."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known | _NO_SETTINGS:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise SettingError(f"the environment variable {name} names no setting.", advice)
