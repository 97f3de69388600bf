"""Certificates for tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = ("127.0.0.1",)
CA, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"


class Authority:
    """Signs certificates."""

    def __init__(self, name: str = "Test") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        ends = datetime.now(UTC) + timedelta(days=30)
        built = _builder(self._name, self._name, self._key, ends)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = built.sign(self._key, hashes.SHA256())

    def sign(self, folder: Path, names: Sequence[str] = LOOPBACK, days: float = 30) -> Path:
        """Write `tls.crt`, `tls.key` and `ca.crt` for hosts, as a Secret of Kubernetes has them; return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(_named(names[0]), self._name, key, datetime.now(UTC) + timedelta(days=days))
        built = built.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        (folder / CERTIFICATE).write_bytes(_pem(built.sign(self._key, hashes.SHA256())))
        (folder / KEY).write_bytes(_private(key))
        (folder / CA).write_bytes(_pem(self._certificate))
        return folder


def make_certificate(folder: Path, days: float) -> Path:
    """Write `tls.crt`: a certificate of 127.0.0.1 that expires in so many days, signed by itself, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("127.0.0.1")
    built = _builder(name, name, key, datetime.now(UTC) + timedelta(days=days))
    built = built.add_extension(x509.SubjectAlternativeName([_general("127.0.0.1")]), critical=False)
    file = folder / CERTIFICATE
    file.write_bytes(_pem(built.sign(key, hashes.SHA256())) + _private(key))
    return file


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends: datetime
) -> x509.CertificateBuilder:
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number())
    return built.not_valid_before(ends - timedelta(days=90)).not_valid_after(ends)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
