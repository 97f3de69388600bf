"""Settings of the system on one machine, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class MachineSettings(BaseSettings):
    """Settings of the supervisor. The parts read parley_core.settings themselves.

    Attributes:
        home: folder for data, logs and lock. It is created if needed.
        redis_url: an existing Redis. None: the system starts its own Valkey.
        objects_url: an existing object store. None: a folder in `home`.
    """

    model_config = SettingsConfigDict(env_prefix="PARLEY_", env_ignore_empty=True, extra="ignore")

    home: Path = Path(".parley")
    host: str = "127.0.0.1"
    port: int = Field(7001, ge=1, le=65535)
    flower_port: int = Field(5555, ge=1, le=65535)
    redis_url: SecretStr | None = None
    objects_url: str | None = None
    valkey_max_memory: str = "256mb"  # for 100,000 jobs; recordings and results are objects

    @model_validator(mode="after")
    def _ports_differ(self) -> MachineSettings:
        if self.port == self.flower_port:
            raise ValueError("PARLEY_PORT and PARLEY_FLOWER_PORT must be different ports")
        return self

    @property
    def api_url(self) -> str:
        """The URL of the API on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}"
