"""Certificates and tokens for a plugin, as their files have them now."""

from pathlib import Path

from spotward.model.errors import Permanent
from spotward.plugins.host.settings import Trust
from spotward.plugins.sdk.files import versions


def token(trust: Trust) -> str | None:
    """The token as its file has it now; None where none is sent. Raises Permanent."""
    if trust.token_file is None:
        return None
    return content(trust.token_file).decode(errors="replace").strip().partition("\n")[0].strip()


def renewed(trust: Trust) -> object:
    """Differs from what it was when a file was renewed. Raises Permanent."""
    files = tuple(file for file in (trust.ca, trust.certificate, trust.key) if file is not None)
    try:
        return versions(files)
    except OSError as error:
        raise Permanent(f"{error.filename} cannot be read: {error.strerror}", code="PluginConfig") from error


def content(file: Path) -> bytes:
    """Raises Permanent."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Permanent(f"{file} cannot be read: {error.strerror}", code="PluginConfig") from error
