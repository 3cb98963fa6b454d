"""Test certificates: an authority and the certificates that it signs."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NAME = "db.example"
LOOPBACK = x509.SubjectAlternativeName(
    [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(NAME)]
)


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key. Unless said otherwise, it is valid for the address 127.0.0.1 and the name
    ``NAME``."""

    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def authority(cls, name: str, valid_for: x509.SubjectAlternativeName = LOOPBACK) -> Self:
        private = ec.generate_private_key(ec.SECP256R1())
        own = _certificate(name, private, name, private, is_authority=True, valid_for=valid_for)
        return cls(own, private)

    def sign(self, name: str) -> "Certificate":
        private = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return Certificate(_certificate(name, private, str(issuer), self.private), private)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        return self.private.private_bytes(serialization.Encoding.PEM, form, plain).decode()

    def server_context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        """The context of a server with a certificate of this authority.

        ``wants_client``: clients must have such a certificate, too.
        """
        own = self.sign("server")
        with TemporaryDirectory() as folder:
            file = Path(folder) / "own.pem"
            file.write_text(own.pem + own.key_pem)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.pem)
            context.load_cert_chain(file)
        context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_NONE
        return context


def _certificate(
    name: str,
    private: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
    valid_for: x509.SubjectAlternativeName = LOOPBACK,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(valid_for, critical=False)
        .sign(signer, hashes.SHA256())
    )
