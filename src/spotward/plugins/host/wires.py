"""The wire to one gRPC plugin: one connection, kept; made anew when a certificate or the authority was renewed."""

import asyncio

import grpc
from grpc import aio

from spotward.plugins.host.papers import content, renewed, token
from spotward.plugins.host.settings import PluginSettings, Trust

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""A longer answer is refused."""

OLD_CLOSES_SECONDS = 60.0
"""Calls under way on a connection whose certificate was renewed may take so long to end."""


class Wire:
    """Made when it is first used."""

    def __init__(self, settings: PluginSettings) -> None:
        self._settings, self._trust = settings, settings.trust
        self._channel: aio.Channel | None = None
        self._seen: object = None
        self._closing: set[asyncio.Future[None]] = set()

    def channel(self) -> aio.Channel:
        """The connection, with the certificates as they stand now. Raises Permanent for files that cannot be read."""
        now = renewed(self._trust)
        if self._channel is not None and now != self._seen:
            self._let_end(self._channel)
            self._channel = None
        if self._channel is None:
            self._channel, self._seen = self._made(), now
        return self._channel

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with each call. Raises Permanent."""
        sent = token(self._trust)
        return () if sent is None else (("authorization", f"Bearer {sent}"),)

    async def close(self) -> None:
        """Close it."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    def _let_end(self, channel: aio.Channel) -> None:
        closing = asyncio.ensure_future(channel.close(OLD_CLOSES_SECONDS))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _made(self) -> aio.Channel:
        options: list[tuple[str, str | int]] = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.enable_http_proxy", 0),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            ("grpc.use_local_subchannel_pool", 1),  # else a renewed certificate would share the old connection
        ]
        if not self._trust.encrypted:
            return aio.insecure_channel(self._settings.address, options)
        if self._trust.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self._trust.server_name))
        return aio.secure_channel(self._settings.address, _credentials(self._trust), options)


def _credentials(trust: Trust) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=content(trust.ca) if trust.ca is not None else None,
        private_key=content(trust.key) if trust.key is not None else None,
        certificate_chain=content(trust.certificate) if trust.certificate is not None else None,
    )
