"""Who may call: TLS, client certificates, tokens; each read anew when its file was renewed.

Nobody is let in by default. A plugin does things, so a server without a token and without client certificates is
refused, on the loopback address too, unless its owner says that everybody may.
"""

import hmac
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from spotward.plugins.sdk.files import versions

if TYPE_CHECKING:
    import grpc

TOKEN_CHARACTERS_MIN = 16
"""A shorter token is guessed too soon."""


class Unsafe(ValueError):  # noqa: N818 - it says how things are, and reads as that
    """This would let anybody in, or cannot work; the text says what to give."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Safety:
    """What a server asks of its callers, and shows them."""

    certificate: Path | None = None
    """PEM certificate chain of the server."""
    key: Path | None = None
    """Its private key."""
    client_ca: Path | None = None
    """Callers must show a certificate of this authority."""
    token_file: Path | None = None
    """Callers must send one of the tokens in this file; one to a line, so a new one can come before the old goes."""
    insecure: bool = False
    """Everybody who reaches the address may call, and everything can be read on the way."""

    def checked(self, host: str) -> "Safety":
        """Itself, if it is safe to listen on that host. Raises Unsafe."""
        if (self.certificate is None) != (self.key is None):
            raise Unsafe("a certificate and its key go together: give both or none")
        if self.client_ca is not None and self.certificate is None:
            raise Unsafe("client certificates need TLS: give a certificate and a key of the server's own too")
        if self.insecure:
            return self
        if self.token_file is None and self.client_ca is None:
            raise Unsafe(
                "anybody who reaches this address could make it act; give a token file or a client CA, "
                "or say that this is meant with --insecure"
            )
        if self.certificate is None and not is_loopback(host):
            raise Unsafe(
                f"on {host} a token could be read on the way; give a certificate and a key, listen on 127.0.0.1, "
                "or say that this is meant with --insecure"
            )
        for file in (self.certificate, self.key, self.client_ca):
            _ = file and content(file)
        if self.token_file is not None:
            tokens(self.token_file)
        return self

    def credentials(self) -> "grpc.ServerCredentials | None":
        """For a port with TLS; None for one without. Renewed files are taken up by the next connection."""
        if self.certificate is None or self.key is None:
            return None
        import grpc  # late: who listens by HTTP asks for the same and needs none of it

        renewed = _Renewed(self.certificate, self.key, self.client_ca)
        return grpc.dynamic_ssl_server_credentials(
            renewed.current(), renewed.current, require_client_authentication=self.client_ca is not None
        )


class _Renewed:
    """The certificate as it stands in its files now."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        self._files = tuple(file for file in (certificate, key, client_ca) if file is not None)
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._seen = versions(self._files)
        self._configuration = self._read()

    def _read(self) -> "grpc.ServerCertificateConfiguration":
        import grpc

        ca = content(self._client_ca) if self._client_ca is not None else None
        return grpc.ssl_server_certificate_configuration(
            [(content(self._key), content(self._certificate))], root_certificates=ca
        )

    def current(self) -> "grpc.ServerCertificateConfiguration":
        """The old one stays while a new one cannot be read."""
        with suppress(OSError, Unsafe):
            now = versions(self._files)
            if now != self._seen:
                self._configuration, self._seen = self._read(), now
        return self._configuration


class Tokens:
    """The tokens that open the door, as their file has them now."""

    def __init__(self, file: Path) -> None:
        """Raises Unsafe."""
        self._file = file
        self._seen, self._tokens = versions((file,)), tokens(file)

    def open_for(self, authorization: str) -> bool:
        """May who sends this header come in?"""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        self._renew()
        given = token.strip().encode()
        return any(hmac.compare_digest(given, each) for each in self._tokens)

    def _renew(self) -> None:
        try:
            now = versions((self._file,))
            if now != self._seen:
                self._tokens, self._seen = tokens(self._file), now
        except (OSError, Unsafe):
            return  # a file in the middle of being renewed: what was read last stands


def tokens(file: Path) -> tuple[bytes, ...]:
    """The tokens in a file. Raises Unsafe when there is none, or one that is too short."""
    found = tuple(line.strip() for line in content(file).splitlines() if line.strip())
    if not found:
        raise Unsafe(f"{file} holds no token; write one there, such as `openssl rand -hex 32` makes")
    if min(len(each) for each in found) < TOKEN_CHARACTERS_MIN:
        raise Unsafe(f"a token in {file} is shorter than {TOKEN_CHARACTERS_MIN} characters; `openssl rand -hex 32`")
    return found


def content(file: Path) -> bytes:
    """Raises Unsafe."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Unsafe(f"{file} cannot be read: {error.strerror}") from error


def is_loopback(host: str) -> bool:
    """Is it reached from this machine alone?"""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
