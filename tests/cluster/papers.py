"""Certificates, tokens and kubeconfigs of one test's control plane, made anew for each.

One authority signs the API server's certificate and a client's. Everybody else comes with a token from a file, which is
the cheapest way to be somebody in particular; the service account's key is real, so that tokens may also be asked of
the API server itself.
"""

import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=365 * 100)
"""A hundred years, so that no test ends with a certificate."""

MASTERS = "system:masters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Papers:
    """What a control plane and its clients identify themselves with: all files in one folder."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def tokens_file(self) -> Path:
        return self.folder / "tokens.csv"

    def token(self, user: str) -> str:
        """The token of one of the users given to `issue`."""
        return (self.folder / f"{user.replace(':', '_')}.token").read_text()

    def kubeconfig(self, server: str, user: str) -> Path:
        """A kubeconfig for that user; JSON is YAML too."""
        file = self.folder / f"{user.replace(':', '_')}.kubeconfig"
        cluster = {"server": server, "certificate-authority": str(self.authority)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.token(user)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        file.write_text(json.dumps(content))
        return file


def issue(folder: Path, users: dict[str, tuple[str, ...]]) -> Papers:
    """Make everything; `users` are names with their groups."""
    folder.mkdir(parents=True, exist_ok=True)
    papers = Papers(folder=folder)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate("spotward test authority", key, key, None)
    write(folder / "ca.crt", authority)
    sign(folder, "server", "kube-apiserver", None, authority, key)
    sign(folder, "client", "certified", MASTERS, authority, key)
    write_key(folder / "service-accounts.key", ec.generate_private_key(ec.SECP256R1()))
    lines = []
    for number, (user, groups) in enumerate(users.items()):
        token = secrets.token_hex(16)
        (folder / f"{user.replace(':', '_')}.token").write_text(token)
        lines.append(f'{token},{user},u-{number},"{",".join(groups)}"')
    papers.tokens_file.write_text("\n".join(lines) + "\n")
    return papers


def sign(
    folder: Path,
    file: str,
    name: str,
    organization: str | None,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    end: datetime = END,
) -> None:
    """A key and a certificate, as `<file>.key` and `<file>.crt`."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(folder / f"{file}.key", key)
    write(folder / f"{file}.crt", certificate(name, key, authority_key, authority, organization, end=end))


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    organization: str | None = None,
    *,
    end: datetime = END,
) -> x509.Certificate:
    """One certificate: an authority if it has no issuer, else good for 127.0.0.1 as a server, and as a client."""
    said = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        said.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    subject = x509.Name(said)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(usage(authority=issuer is None), critical=True)
    )
    if issuer is not None:
        places = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(places), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(signer, hashes.SHA256())


def usage(*, authority: bool) -> x509.KeyUsage:
    """What the key may be used for."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def write(file: Path, paper: x509.Certificate) -> None:
    file.write_bytes(paper.public_bytes(serialization.Encoding.PEM))


def write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    file.chmod(0o600)
