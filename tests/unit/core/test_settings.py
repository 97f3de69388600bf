"""Settings: what is refused at start, and how long an attempt may take."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from parley_core.celery_queue import create_app
from parley_core.errors import RecordingTooLong, UnsafeSettings
from parley_core.job import TimeLimits
from parley_core.listening import require_safe_address
from parley_core.settings import Settings
from parley_core.storage.objects import object_store


def test_a_lease_that_one_late_renewal_would_lose_is_refused() -> None:
    with pytest.raises(ValidationError, match="three times PARLEY_LEASE_RENEWAL_SECONDS"):
        Settings(lease_seconds=2, lease_renewal_seconds=1)


TOO_SHORT = "PARLEY_LEASE_SECONDS must be at least three times PARLEY_LEASE_RENEWAL_SECONDS."


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PARLEY_PORT", "x", "PARLEY_PORT must be a whole number."),
        ("PARLEY_PORT", "70000", "PARLEY_PORT must be at most 65535."),
        ("PARLEY_LEASE_SECONDS", "0", "PARLEY_LEASE_SECONDS must be greater than 0."),
        (
            "PARLEY_LEASE_SECONDS",
            "2",
            "PARLEY_LEASE_SECONDS must be at least three times PARLEY_LEASE_RENEWAL_SECONDS.",
        ),
    ],
)
def test_a_wrong_variable_is_named_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UnsafeSettings) as raised:
        Settings.from_environment()
    assert raised.value.detail == sentence


SENTINELS = "redis+sentinel://api@a:1,b:2/parley/0?sentinel_user=client"


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis://redis:6379/0", "redis://:p%2F%40%3A@redis:6379/0"),
        ("rediss://api@redis/0?ssl_cert_reqs=required", "rediss://api:p%2F%40%3A@redis/0?ssl_cert_reqs=required"),
        ("unix:///run/valkey.sock?db=0", "unix://:p%2F%40%3A@/run/valkey.sock?db=0"),
        (SENTINELS, SENTINELS.replace("api@", "api:p%2F%40%3A@") + "&sentinel_password=s%26t"),
    ],
)
def test_passwords_come_from_files(tmp_path: Path, url: str, whole: str) -> None:
    (tmp_path / "redis").write_text("p/@:\n")
    (tmp_path / "sentinel").write_text("s&t")
    sentinel = tmp_path / "sentinel" if "sentinel" in url else None
    settings = Settings(redis_url=url, redis_password_file=tmp_path / "redis", sentinel_password_file=sentinel)
    assert settings.redis_url.get_secret_value() == whole
    assert "p%2F" not in repr(settings)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("absent", "PARLEY_REDIS_PASSWORD_FILE cannot be read (FileNotFoundError)."),
        ("empty", "PARLEY_REDIS_PASSWORD_FILE is an empty file."),
        ("full", "PARLEY_REDIS_URL holds a password, and PARLEY_REDIS_PASSWORD_FILE names another one."),
    ],
)
def test_a_file_that_gives_no_password_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, sentence: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("new")
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://:old@redis")
    monkeypatch.setenv("PARLEY_REDIS_PASSWORD_FILE", str(tmp_path / file))
    with pytest.raises(UnsafeSettings) as raised:
        Settings.from_environment()
    assert raised.value.detail == sentence


def test_secrets_of_the_object_store_come_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("id\n")
    (tmp_path / "..data").mkdir()  # as in a Secret that Kubernetes has mounted
    settings = Settings(objects_secrets_folder=tmp_path)
    assert {name: secret.get_secret_value() for name, secret in settings.objects_secrets.items()} == {
        "AWS_ACCESS_KEY_ID": "id"
    }
    (tmp_path / "AWS_ACCES_KEY").write_text("id")
    with pytest.raises(UnsafeSettings, match="aws_acces_key"):
        object_store(Settings(objects_secrets_folder=tmp_path, objects_url="s3://bucket"))


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_other_machines_are_not_served_without_keys(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings, match="PARLEY_API_KEYS_FILE"):
        require_safe_address(Settings(host="0.0.0.0"))
    require_safe_address(Settings(host="0.0.0.0", api_keys_file=tmp_path / "keys"))
    require_safe_address(Settings(host="127.0.0.1"))


def test_time_limits_have_a_floor_and_grow_with_the_recording() -> None:
    settings = Settings()
    assert settings.limits_for(60) == TimeLimits(540, 600)
    assert settings.limits_for(7200) == TimeLimits(3600, 3660)


def test_a_recording_that_no_attempt_could_finish_is_refused_with_both_numbers() -> None:
    settings = Settings(longest_attempt_seconds=1000)
    with pytest.raises(RecordingTooLong, match=r"7200 s of audio may need 3600 s.*1000 s"):
        settings.limits_for(7200)


def test_a_recording_over_the_limit_is_refused_with_the_limit() -> None:
    with pytest.raises(RecordingTooLong, match="14400 s"):
        Settings().limits_for(36_000)


def test_the_longest_recording_allowed_by_default_fits_into_an_attempt() -> None:
    settings = Settings()
    assert settings.limits_for(settings.max_recording_seconds).hard <= settings.longest_attempt_seconds


def test_celery_hands_a_message_out_again_only_after_any_attempt_is_over() -> None:
    settings = Settings(longest_attempt_seconds=5000)
    conf = create_app(settings).conf
    assert conf.visibility_timeout == conf.broker_transport_options["visibility_timeout"] == 5600


def test_the_password_of_redis_is_not_shown() -> None:
    assert "pass-4711" not in repr(Settings(redis_url="redis://:pass-4711@host/0"))


@pytest.mark.parametrize("url", ["rediss://host/0", "rediss://u:p@host:6380/1", "rediss+sentinel://one,two/parley"])
def test_a_broker_with_tls_is_verified_whatever_its_address_says(url: str) -> None:
    """Kombu verifies nothing where the address of a server with TLS is silent about it."""
    app = create_app(Settings(redis_url=SecretStr(url)))
    with app.connection() as broker:
        assert broker.ssl["ssl_cert_reqs"] in ("required", ssl.CERT_REQUIRED)


def test_a_file_of_authorities_without_certificates_and_half_a_pair_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(ValueError, match="PARLEY_CA_FILE"):
        Settings(ca_file=tmp_path / "ca.crt")
    with pytest.raises(ValueError, match="PARLEY_TLS_KEY_FILE"):
        Settings(tls_certificate_file=tmp_path / "tls.crt")
