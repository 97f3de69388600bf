"""Where the system of one machine keeps its data and listens, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class MachineSettings(BaseSettings):
    """What the supervisor needs to know; the parts read parley_core.settings themselves.

    Attributes:
        home: data, logs and the lock of one system; made when it is not there.
        redis_url: a Redis of your own; by default an embedded Valkey is started.
        objects_url: an object store of your own; by default a folder in `home`.
    """

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore")

    home: Path = Path(".parley")
    host: str = "127.0.0.1"
    port: int = Field(7001, ge=1, le=65535)
    flower_port: int = Field(5555, ge=1, le=65535)
    redis_url: SecretStr | None = None
    objects_url: str | None = None
    valkey_max_memory: str = "256mb"  # 100,000 jobs; recordings and results are not in it

    @property
    def api_url(self) -> str:
        """Where the API answers on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}"
