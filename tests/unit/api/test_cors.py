"""Which pages of other origins a browser lets call the API."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from parley_core.errors import UnsafeSettings
from parley_core.settings import Settings
from tests.support.api_fixture import AUDIO, ApiFixture
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

PAGE = "https://clinic.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture
def listed(api: ApiFixture, tmp_path: Path) -> ApiFixture:
    """A server with keys that lists two origins."""
    (tmp_path / "keys").write_text(line("north", "n"))
    changes = {"api_keys_file": tmp_path / "keys", "cors_origins": f"{PAGE}, http://127.0.0.1:3000"}
    api.settings = api.settings.model_copy(update=changes)
    return api


@pytest.mark.parametrize("origin", [PAGE, "http://127.0.0.1:3000"])
async def test_a_page_of_a_listed_origin_may_submit(listed: ApiFixture, origin: str) -> None:
    async with listed.client(Origin=origin) as client:
        allowed = await client.options("/v1/jobs", headers=PREFLIGHT)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin)
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in allowed.headers
        submitted = await client.post("/v1/jobs", content=AUDIO, headers=bearer("n") | {"Content-Type": "audio/flac"})
        assert (submitted.status_code, submitted.headers["access-control-allow-origin"]) == (202, origin)
        assert "Location" in submitted.headers["access-control-expose-headers"]
        refused = await client.get("/v1/jobs")
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", f"{PAGE}:8443", "null"])
async def test_a_page_of_another_origin_may_not(listed: ApiFixture, origin: str) -> None:
    async with listed.client(Origin=origin) as client:
        assert_closed(await client.options("/v1/jobs", headers=PREFLIGHT))
        assert "access-control-allow-origin" not in (await client.get("/v1/jobs", headers=bearer("n"))).headers


async def test_without_listed_origins_no_page_may(client: httpx.AsyncClient) -> None:
    assert_closed(await client.options("/v1/jobs", headers=PREFLIGHT | {"Origin": PAGE}))


def assert_closed(preflight: httpx.Response) -> None:
    assert preflight.status_code >= 400
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    "origins", ["*", "clinic.example", f"{PAGE}/", f"{PAGE} http://b.example", "https://*.example"]
)
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("PARLEY_CORS_ORIGINS", origins)
    with pytest.raises(UnsafeSettings, match="PARLEY_CORS_ORIGINS"):
        Settings.from_environment()
