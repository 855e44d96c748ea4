"""One process's door to AWS: clients, threads, limits, counting and errors in our words.

Everything else in this room asks through `Aws.call`, `Aws.pages` and `Aws.poll`, naming the service and the operation
literally, so that a test can compare the calls in the code with the published IAM policy. Endpoints, credentials,
profiles and proxies are found as boto3 finds them (`AWS_ENDPOINT_URL` included); the partition follows from the
region's name. Times in answers are left as the text that AWS sent: parsing ten thousand launch times that nobody reads
costs seconds.

boto3 is imported when the first call is made: it weighs more than all of the thinking together.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, overload

from spotward.aws.regions import NO_REGION, Atlas, by_partition, chosen, where_to_ask, within
from spotward.aws.threads import Workers, run_apart
from spotward.aws.translation import Call, is_definite, reading, translated, unreadable, unsendable
from spotward.model.errors import ConfigError, SpotwardError

THREADS_MAX = 16
"""Calls under way at the same time. EC2 throttles by account and region; more threads only meet the throttle sooner."""

ATTEMPTS_MAX = 4
"""One call's own transport tries so often, within seconds; what lasts longer waits as a wish does."""

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 60.0
"""CreateFleet answers when it has tried every pool, which takes AWS up to tens of seconds."""

T = TypeVar("T")
Page = dict[str, Any]


class CallCounter:
    """How many calls were made: `counts["ec2.CreateFleet"]`. A call is one operation, or one page of it.

    What botocore repeated under the same call stands in `retries`. A listener hears of each call (its region and its
    name) before it is sent, in the thread that makes it.
    """

    def __init__(self, listener: Callable[[str, str], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self._listener, self._lock = listener, threading.Lock()

    @property
    def total(self) -> int:
        """All calls, retries not included."""
        return sum(self.counts.values())

    def called(self, region: str, name: str) -> None:
        """A call is about to be made."""
        with self._lock:
            self.counts[name] += 1
        if self._listener is not None:
            self._listener(region, name)

    def retried(self, name: str) -> None:
        """A call is sent once more."""
        with self._lock:
            self.retries[name] += 1


class _Attempts(threading.local):
    """What became of the attempts of the call that this thread is making."""

    sent: bool = False
    unknown: bool = False


class Aws:
    """AWS for one process: safe to share between tasks and threads."""

    def __init__(
        self,
        *,
        threads_max: int = THREADS_MAX,
        profile: str | None = None,
        counter: CallCounter | None = None,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        """profile: a name from the AWS configuration; None takes what the environment says."""
        self.counter = counter or CallCounter()
        self._workers = Workers(threads_max, name="aws")
        self._profile, self._threads_max = profile, threads_max
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._attempts_max = attempts_max
        self._lock = threading.RLock()
        self._boto3_session: Any = None
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._attempts = _Attempts()

    async def call(
        self, region: str, service: str, operation: str, *, once: bool = False, **params: Any
    ) -> dict[str, Any]:
        """One call's answer. Raises Transient or Permanent; NoAnswer where it may have been carried out all the same.

        operation: boto3's method, such as `describe_instances`.
        once: the transport never repeats it, for a call that an endpoint may not have.
        """
        return await self._workers.run(partial(self._call, region, service, operation, once, params))

    async def poll(self, region: str, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """As `call`, in a thread of its own beside the bounded ones: for a call that takes long by nature (a long poll,
        a fleet that tries its pools), so that it holds up no other and may be left waiting at the end.
        """
        work = partial(self._call, region, service, operation, False, params)
        return await run_apart(work, name=f"aws-{service}-{operation}")

    @overload
    async def pages(
        self, region: str, service: str, operation: str, *, each: Callable[[Page], T], once: bool = False, **params: Any
    ) -> list[T]: ...
    @overload
    async def pages(
        self, region: str, service: str, operation: str, *, each: None = None, once: bool = False, **params: Any
    ) -> list[Page]: ...
    async def pages(
        self,
        region: str,
        service: str,
        operation: str,
        *,
        each: Callable[[Page], Any] | None = None,
        once: bool = False,
        **params: Any,
    ) -> list[Any]:
        """All pages of a call, or what `each` keeps of each page; it runs in the thread, so that a page can be freed.

        Raises as `call`; an error that `each` meets in an answer of another shape becomes one that names the call.
        """
        return await self._workers.run(partial(self._pages, region, service, operation, each, once, params))

    async def regions(self, patterns: Sequence[str], *, partitions: Sequence[str] = ()) -> tuple[str, ...]:
        """The enabled regions that names and globs mean; without any, the region of the environment or profile.

        partitions: whose regions are meant, all of them where no pattern is given; credentials hold for one. None:
        those that the patterns speak of. Raises ConfigError for what matches nothing, OutsideError when EC2 cannot be
        asked.
        """
        home, atlas = await self._workers.run(self._home)
        wanted = list(dict.fromkeys(patterns)) or ([home] if home and not partitions else [])
        if not wanted and not partitions:
            raise ConfigError(NO_REGION)
        asked = within(partitions, wanted, atlas) if partitions else by_partition(wanted, home, atlas)
        found: list[str] = []
        for partition, mine in asked.items():
            place = where_to_ask(partition, mine, home, atlas)
            answer = await self.call(place, "ec2", "describe_regions", AllRegions=False)
            with reading(f"ec2.DescribeRegions in {place}"):
                enabled = [each["RegionName"] for each in answer["Regions"]]
            found += chosen(mine, enabled, atlas.get_available_regions("ec2", partition_name=partition))
        return tuple(dict.fromkeys(found))

    async def home(self) -> str | None:
        """The region that the environment or the profile names; None where neither does."""
        return (await self._workers.run(self._home))[0]

    def close(self) -> None:
        """Let go of threads and connections. Calls under way are not waited for."""
        self._workers.close()
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    # ---- in a worker's thread ----------------------------------------------------------------------------------------

    def _call(self, region: str, service: str, operation: str, once: bool, params: dict[str, Any]) -> dict[str, Any]:
        with self._translating(region, service, operation):
            client = self._client(region, service, once=once)
            return dict(getattr(client, operation)(**params))

    def _pages(
        self,
        region: str,
        service: str,
        operation: str,
        each: Callable[[Page], Any] | None,
        once: bool,
        params: dict[str, Any],
    ) -> list[Any]:
        with self._translating(region, service, operation):
            paginator = self._client(region, service, once=once).get_paginator(operation)
            return [page if each is None else each(page) for page in paginator.paginate(**params)]

    @contextmanager
    def _translating(self, region: str, service: str, operation: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        self._attempts.sent = self._attempts.unknown = False
        try:
            yield
        except ParamValidationError as error:
            # Its text has the values of parameters, which may be user data: no trace of it may reach a log.
            raise translated(error, self._named(region, service, operation), unknown=False) from None
        except (BotoCoreError, ClientError) as error:
            call = self._named(region, service, operation)
            raise translated(error, call, unknown=self._attempts.unknown) from error
        except SpotwardError:
            raise
        except Exception as error:  # botocore's parsers raise whatever a garbled answer leads them to
            words = self._named(region, service, operation).words
            raise (unreadable if self._attempts.sent else unsendable)(words, error) from error

    def _named(self, region: str, service: str, operation: str) -> Call:
        """The call in the API's own words; in boto3's where there is no client to ask."""
        client = next((c for (_, name, _), c in self._clients.items() if name == service), None)
        if client is None:
            return Call(service=service, operation=operation, region=region, iam_prefix=service)
        name = client.meta.method_to_api_mapping.get(operation, operation)
        return Call(service=service, operation=name, region=region, iam_prefix=client.meta.service_model.signing_name)

    def _home(self) -> tuple[str | None, Atlas]:
        """The region that the environment or the profile names, and what botocore knows of regions."""
        session = self._session()
        return session.region_name, session

    def _session(self) -> Any:
        from botocore.exceptions import ConfigParseError, ProfileNotFound

        with self._lock:
            if self._boto3_session is None:
                try:
                    self._boto3_session = self._new_session()
                except ProfileNotFound as error:
                    raise ConfigError(f"{error}; look into ~/.aws/config, or give another profile") from None
                except ConfigParseError as error:
                    raise ConfigError(f"{error}; correct that file") from None
            return self._boto3_session

    def _new_session(self) -> Any:
        from boto3.session import Session
        from botocore.session import get_session

        core = get_session()
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        # AWS_REGION is what the `aws` command, Lambda and EKS call it; boto3 alone reads only AWS_DEFAULT_REGION.
        region = os.environ.get("AWS_REGION") or None
        return Session(botocore_session=core, profile_name=self._profile, region_name=region)

    def _client(self, region: str, service: str, *, once: bool) -> Any:
        """Clients may be shared between threads, but not be made by two at once."""
        with self._lock:
            client = self._clients.get((region, service, once))
            if client is None:
                client = self._new_client(region, service, once=once)
                self._watch(client, region, service)
                self._clients[(region, service, once)] = client
            return client

    def _new_client(self, region: str, service: str, *, once: bool) -> Any:
        try:
            return self._session().client(service, region_name=region, config=self._settings(once=once))
        except ValueError as error:  # an endpoint, or a region in its host name, that is none
            raise ConfigError(f"{service}: {error}; correct AWS_ENDPOINT_URL, or the AWS configuration") from None

    def _settings(self, *, once: bool) -> Any:
        from botocore.config import Config

        connect_seconds, read_seconds = self._timeouts
        return Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            max_pool_connections=2 * self._threads_max,  # polls have threads besides
            retries={"mode": "standard", "total_max_attempts": 1 if once else self._attempts_max},
            user_agent_extra="spotward",
        )

    def _watch(self, client: Any, region: str, service: str) -> None:
        """Hear of each call and of each attempt through botocore's events (boto3 guide, "Extensibility")."""
        attempts = self._attempts

        def called(model: Any, **_: Any) -> None:
            attempts.sent = False
            self.counter.called(region, f"{service}.{model.name}")

        def sent(event_name: str, **_: Any) -> None:
            if attempts.sent:
                self.counter.retried(f"{service}.{event_name.rsplit('.', 1)[-1]}")
            attempts.sent = True

        def answered(response: Any, caught_exception: Exception | None, **_: Any) -> None:
            attempts.unknown = attempts.unknown or _outcome_unknown(response, caught_exception)

        for name, handler in (("before-call", called), ("before-send", sent), ("needs-retry", answered)):
            client.meta.events.register(name, handler)


def _outcome_unknown(response: Any, caught: Exception | None) -> bool:
    """One attempt left it open whether AWS did what it was asked."""
    from botocore import exceptions as aws

    if caught is not None:
        never_sent = aws.ConnectTimeoutError | aws.EndpointConnectionError | aws.ProxyConnectionError | aws.SSLError
        return not isinstance(caught, never_sent)
    http, parsed = response
    code = str(parsed.get("Error", {}).get("Code", ""))
    return bool(http.status_code >= 500) and not is_definite(code)
