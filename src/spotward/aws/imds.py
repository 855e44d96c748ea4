"""The instance metadata service, asked from the machine itself, by a client that weighs nothing.

It is asked with a session token (IMDSv2) that is renewed before it ends. A 401 means that the token is good no more,
whatever we think (the service was restarted, the machine was asleep): then one new token is taken, and the question is
asked once more. Without a token (IMDSv1) nothing is asked unless that was allowed; where it is, a service that gives no
token is asked without for a while, so that a time-out is not paid at every poll.

A document that is absent (404) is None. Everything else that goes wrong is a Transient, for a metadata service that
fails now may answer in two seconds: `Timeout`, `Unreachable`, `NotHttp`, `Unauthorized`, `Forbidden` (it is switched
off), `NoToken`, and the status for the rest.
"""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from string import ascii_lowercase
from urllib.parse import urlsplit

from spotward.events.imds import IDENTITY, WORD_MAX, Machine, read_machine
from spotward.events.reading import INSTANCE_ID, REGION
from spotward.http.client import Client
from spotward.http.values import Answer
from spotward.model.errors import ConfigError, Transient

LINK_LOCAL = "http://169.254.169.254"

TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - the name of a header, not a secret

TOKEN_SECONDS = 21_600
"""For how long a token is asked for: six hours, the longest there is. One renewal costs one request."""

RENEWAL_SHARE = 0.1
"""A token is renewed when less than this share of its life is left: half an hour of six."""

RENEWAL_PAUSE_SECONDS = 30.0
"""A renewal that failed is tried again after so long; the old token serves meanwhile."""

V1_SECONDS = 300.0
"""For so long a service that gave no token is asked without one before a token is asked for again."""

HOP_HINT = (
    "if this runs in a container, let it use the host's network or set the instance's HttpPutResponseHopLimit to 2"
)

_PATH = re.compile(r"[!-~]*")
"""What can stand in a request as it is."""

_ADDRESS_TAIL = re.compile(r"/latest(/meta-data)?/?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a metadata service is."""

    host: str
    port: int
    prefix: str
    """What stands before `/latest`."""


def endpoint(url: str) -> Endpoint:
    """`http://169.254.169.254`, with or without `/latest/meta-data/` behind it. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"the metadata endpoint {url!r} is wrong ({error}); give one like {LINK_LOCAL}") from None
    if parts.scheme != "http" or not host or _PATH.fullmatch(parts.path) is None:
        raise ConfigError(f"the metadata endpoint {url!r} is not an http address; give one like {LINK_LOCAL}")
    return Endpoint(host=host, port=port or 80, prefix=_ADDRESS_TAIL.sub("", parts.path).rstrip("/"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ImdsPolicy:
    """How the service is asked."""

    url: str = LINK_LOCAL
    """Where it is. The address is the same on every instance; a drill has another."""

    v1: bool = False
    """Whether it may be asked without a token where it gives none. Off: an old, unprotected service stays unread."""

    answer_seconds_max: float = 1.0
    """How long one answer may take. The service is one hop away and answers within milliseconds, or not at all."""

    token_seconds: int = TOKEN_SECONDS
    """For how long a token is asked for, 1 to 21,600."""

    def __post_init__(self) -> None:
        endpoint(self.url)
        if self.answer_seconds_max <= 0:
            raise ConfigError(f"answer_seconds_max is {self.answer_seconds_max:g}; give a number above 0")
        if not 1 <= self.token_seconds <= TOKEN_SECONDS:
            raise ConfigError(f"token_seconds is {self.token_seconds}; give 1 to {TOKEN_SECONDS}")


class Imds:
    """One metadata service. Used from one event loop."""

    def __init__(self, policy: ImdsPolicy | None = None) -> None:
        """Asks nothing yet. Raises ConfigError for an address that is none."""
        self.policy = policy or ImdsPolicy()
        where = endpoint(self.policy.url)
        self._client = Client(where.host, where.port)
        self._prefix = where.prefix
        self._token: str | None = None
        self._renew_at = 0.0
        """By the loop's clock: when a token, or the decision to go without, is to be thought of again."""
        self.failures: Counter[str] = Counter()
        """Code → how many requests failed with it."""

    @property
    def where(self) -> str:
        """For messages."""
        return self._client.where + self._prefix

    @property
    def version(self) -> int:
        """2 while it is asked with a token, 1 while without."""
        return 2 if self._token is not None else 1

    async def document(self, path: str) -> str | None:
        """A document below `/latest/meta-data/`; None where there is none. Raises Transient."""
        return await self._read(f"/latest/meta-data/{path}")

    async def machine(self) -> Machine:
        """Whose metadata it is. Raises Transient, or PayloadError where that cannot be read.

        A service without an identity document (there are fakes) is asked for its parts; those that it does not have
        stay empty, the region too.
        """
        text = await self._read(f"/latest/dynamic/{IDENTITY}")
        if text is not None:
            return read_machine(text)
        instance_id, az = await self._part("instance-id"), await self._part("placement/availability-zone")
        region = await self._part("placement/region") or az.rstrip(ascii_lowercase)
        if INSTANCE_ID.fullmatch(instance_id) is None:
            raise Transient(f"{self.where} does not say which instance this is; is it a metadata service?", code="404")
        return Machine(
            instance_id=instance_id,
            region=region if REGION.fullmatch(region) else "",
            az=az,
            instance_type=await self._part("instance-type"),
        )

    async def _part(self, path: str) -> str:
        return (await self.document(path) or "").strip()[:WORD_MAX]

    async def close(self) -> None:
        """Lets the connection go."""
        await self._client.close()

    # ---- asking ------------------------------------------------------------------------------------------------------

    async def _read(self, target: str) -> str | None:
        try:
            answer = await self._get(target)
            if answer.status == 401 and self._token is not None:
                self._forget_token()
                answer = await self._get(target)
            return self._text(answer, target)
        except Transient as error:
            self.failures[error.code] += 1
            raise

    async def _get(self, target: str) -> Answer:
        token = await self._good_token()
        headers = {} if token is None else {TOKEN_HEADER: token}
        return await self._ask("GET", target, headers)

    def _text(self, answer: Answer, target: str) -> str | None:
        match answer.status:
            case 200:
                return answer.text
            case 404:
                return None
            case 401:
                self._forget_token()
                hint = "it wants a token" if self.policy.v1 else "it takes none of its own tokens"
                raise Transient(f"{self.where} does not let us in: {hint}", code="Unauthorized")
            case 403:
                off = "is switched off; set the instance's HttpEndpoint to enabled"
                raise Transient(f"{self.where} {off}", code="Forbidden")
            case status:
                raise Transient(f"{self.where} answers {target} with {status}", code=str(status))

    async def _ask(self, method: str, target: str, headers: dict[str, str]) -> Answer:
        return await self._client.ask(
            method, self._prefix + target, headers=headers, seconds_max=self.policy.answer_seconds_max
        )

    # ---- tokens ------------------------------------------------------------------------------------------------------

    async def _good_token(self) -> str | None:
        """A token that is good for a while; None where the service is asked without. Raises Transient."""
        now = asyncio.get_running_loop().time()
        if now < self._renew_at and (self._token is not None or self.policy.v1):
            return self._token
        try:
            answer = await self._ask("PUT", "/latest/api/token", {TTL_HEADER: str(self.policy.token_seconds)})
        except Transient as error:
            hinted = Transient(f"{error}; {HOP_HINT}", code=error.code) if error.code == "Timeout" else error
            return self._without(now, hinted, knows_none=error.code == "Timeout")
        if answer.status != 200 or not _is_token(answer.text):
            refused = Transient(f"{self.where} gives no token (status {answer.status})", code="NoToken")
            return self._without(now, refused, knows_none=answer.status < 500)
        self._token = answer.text.strip()
        self._renew_at = now + _life_seconds(answer, self.policy.token_seconds) * (1 - RENEWAL_SHARE)
        return self._token

    def _without(self, now: float, error: Transient, *, knows_none: bool) -> str | None:
        """How to go on when no token is to be had. knows_none: this will not change at the next try."""
        if self._token is not None:
            self._renew_at = now + RENEWAL_PAUSE_SECONDS
            return self._token  # the old one may still be good; if it is not, 401 will tell
        if not self.policy.v1:
            raise error
        if knows_none:
            self._renew_at = now + V1_SECONDS
        return None

    def _forget_token(self) -> None:
        self._token, self._renew_at = None, 0.0


def _is_token(text: str) -> bool:
    """Can it stand in a header?"""
    return re.fullmatch(r"[\x21-\x7e]{1,512}", text.strip()) is not None


def _life_seconds(answer: Answer, wanted: int) -> float:
    """For how long it said that the token is good."""
    told = answer.headers.get(TTL_HEADER.lower(), "")
    return float(told) if re.fullmatch(r"\d{1,5}", told) else float(wanted)
