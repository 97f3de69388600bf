"""Secrets and authorities from files, read at the start. The environment stays readable, and is inherited."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr


def secret_of(path: Path, setting: str) -> str:
    """Return the content of a file without the end of its line. Raises ValueError that names the setting."""
    try:
        secret = path.read_text().strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{setting} cannot be read ({type(error).__name__})") from error
    if not secret:
        raise ValueError(f"{setting} is an empty file")
    return secret


def secrets_of(folder: Path, setting: str) -> dict[str, SecretStr]:
    """Return the content of each file of a folder by its name. Raises ValueError that names the setting.

    Kubernetes keeps hidden entries beside the files of a mounted Secret. They are left out.
    """
    try:
        files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"{setting} cannot be read ({type(error).__name__})") from error
    return {path.name: SecretStr(secret_of(path, f"{setting}/{path.name}")) for path in files}


def with_password(url: str, password: str) -> str:
    """Return a URL of Redis with this password beside its user. Raises ValueError if it holds one already."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, present = login.partition(":")
    if present:
        raise ValueError("PARLEY_REDIS_URL holds a password, and PARLEY_REDIS_PASSWORD_FILE names another one")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{hosts}"))


def with_sentinel_password(url: str, password: str) -> str:
    """Return a URL of a Sentinel service with the password of its Sentinels."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, f"sentinel_password={quote(password, safe='')}") if part)
    return urlunsplit(parts._replace(query=query))


def with_verification(url: str, authorities: Path | None) -> str:
    """Return a URL of Redis that says how its certificate is verified; unchanged for one without TLS.

    Without it, kombu verifies nothing. What the URL says stays as it is.

    Args:
        authorities: file with certificates that are trusted beside those of the system.
    """
    parts = urlsplit(url)
    wanted = {"ssl_cert_reqs": "required"} | ({"ssl_ca_certs": str(authorities)} if authorities else {})
    missing = {name: value for name, value in wanted.items() if name not in parse_qs(parts.query)}
    if not missing or not parts.scheme.startswith("rediss"):
        return url
    words = urlencode(missing, safe="/")
    return urlunsplit(parts._replace(query="&".join(part for part in (parts.query, words) if part)))


def require_certificates(file: Path, setting: str) -> None:
    """Raise ValueError that names the setting unless a file holds certificates as PEM."""
    try:
        ssl.create_default_context(cafile=str(file))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise ValueError(f"{setting} holds no certificates that can be read ({type(error).__name__})") from error


def redis_address(url: str, password: Path | None, sentinel_password: Path | None, authorities: Path | None) -> str:
    """Return a URL of Redis with what files add to it. Raises ValueError that names the setting."""
    if password:
        url = with_password(url, secret_of(password, "PARLEY_REDIS_PASSWORD_FILE"))
    if sentinel_password:
        url = with_sentinel_password(url, secret_of(sentinel_password, "PARLEY_SENTINEL_PASSWORD_FILE"))
    if authorities:
        require_certificates(authorities, "PARLEY_CA_FILE")
    return with_verification(url, authorities)
