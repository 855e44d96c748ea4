"""What the user's rules need, connected: the rules read, the plugins found, the letterbox behind the doors."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from spotward.aws.reactions import Reactions
from spotward.cli.rule_files import read_rules
from spotward.config import Config
from spotward.engine.ports import Clock, Source, Store
from spotward.model.errors import ConfigError
from spotward.model.flow import Flow, Outcome
from spotward.model.flow_event import FlowCancelled, FlowEvent, FlowRetried
from spotward.model.world import World
from spotward.plugins.builtin.annotate import Annotate
from spotward.plugins.builtin.command import Exec
from spotward.plugins.builtin.notify import Notify
from spotward.plugins.builtin.request import Http
from spotward.plugins.host.hands import FlowHands
from spotward.plugins.host.host import Host
from spotward.plugins.host.settings import PluginSettings, Speaks, Terms
from spotward.plugins.sdk.plugin import Plugin
from spotward.plugins.sdk.safety import Safety
from spotward.rules.rulebook import Callee, Rules
from spotward.web.doors.addresses import OpenDoors
from spotward.web.doors.by_grpc import grpc_door
from spotward.web.doors.letterbox import Letterbox
from spotward.web.doors.serving import doors


@dataclass(frozen=True, kw_only=True)
class FlowParts:
    """Everything about flows that lives as long as the process."""

    rules: Rules
    mended: tuple[str, ...]
    """What of old configurations is otherwise than it was, a line for each thing."""
    host: Host
    hands: FlowHands
    letterbox: Letterbox
    reactions: Reactions

    async def close(self) -> None:
        """Let go of all connections."""
        await self.host.close()
        self.reactions.close()

    @property
    def sources(self) -> tuple[Source, ...]:
        """What comes in by the doors."""
        return (self.letterbox,)

    def look_at(self, world: Callable[[], World]) -> None:
        """From now on this tells how many flows are open: as many as may be, and the doors take nothing new."""
        limit = self.rules.flows_open_max

        def crowded() -> str | None:
            return f"{limit} flows are open, as many as may be" if len(world().flows) >= limit else None

        self.letterbox.crowded = crowded


def flow_parts(config: Config, clock: Clock, within: Iterable[Plugin] = ()) -> FlowParts | None:
    """None where there are no rules and no doors. within: plugins that order of the engine what they do.

    Raises ConfigError, with every mistake in the rules file.
    """
    doors_open = config.doors.port is not None or config.doors.grpc_port is not None
    if config.flows.rules is None and not config.compat.hollowtrees and not doors_open:
        return None
    reactions = Reactions()
    within = tuple(within)
    own = [*_own(config, reactions), *within]
    read = read_rules(config, [plugin.name for plugin in own])
    rules = read.rules.with_own({plugin.name: plugin.calls_at_once_max for plugin in within})
    unknown = sorted(set(config.flows.plugins) - {callee.name for callee in rules.every_callee})
    if unknown:
        raise ConfigError(f"flows.plugins names `{unknown[0]}`, which is no plugin of the rules file")
    rules = rules.limited({name: terms.at_once for name, terms in config.flows.plugins.items() if terms.at_once})
    elsewhere = [_settings(each, config.flows.plugins) for each in rules.every_callee if each.kind != "builtin"]
    host, letterbox = Host(elsewhere, clock, own=own, invoke=reactions.invoke), Letterbox()
    return FlowParts(
        rules=rules,
        mended=read.mended,
        host=host,
        hands=FlowHands(host, clock, letterbox.aside, traced=config.traces.endpoint is not None),
        letterbox=letterbox,
        reactions=reactions,
    )


@asynccontextmanager
async def open_doors(parts: FlowParts | None, config: Config, clock: Clock, store: Store) -> AsyncIterator[OpenDoors]:
    """The doors, as long as the context is open; gives their addresses. store: of whose flows people may speak.

    Raises ConfigError.
    """
    if parts is None:
        yield OpenDoors()
        return
    wanted = config.doors
    safety = Safety(
        certificate=wanted.certificate,
        key=wanted.key,
        client_ca=wanted.client_ca,
        token_file=wanted.token_file,
        insecure=wanted.insecure,
    )

    async def word(key: str, what: str) -> FlowEvent:
        return word_to(await flow_in(store, key), what, now=clock.now(), by="somebody at the doors")

    box, host = parts.letterbox, wanted.host
    async with (
        doors(box, clock, host=host, port=wanted.port, safety=safety, word=word) as http,
        grpc_door(box, clock, host=host, port=wanted.grpc_port, safety=safety) as grpc,
    ):
        yield OpenDoors(http=http, grpc=grpc)


async def flow_in(store: Store, key: str) -> Flow:
    """The flow of that key. Raises ConfigError."""
    flow = next((each for each in await store.undertakings(subject=key) if isinstance(each, Flow)), None)
    if flow is None:
        raise ConfigError(f"no flow is called {key!r}; `spotward flows list` names them")
    return flow


def word_to(flow: Flow, word: str, *, now: float, by: str) -> FlowEvent:
    """The event by which somebody wants a flow to go on, or to end. Raises ConfigError where that cannot be."""
    if word == "cancel":
        if flow.outcome is not None:
            raise ConfigError(f"{flow.key} has ended already: {flow.ended}")
        return FlowCancelled(time=now, flow=flow.key, by=by)
    if flow.outcome is Outcome.DONE:
        raise ConfigError(f"{flow.key} is done: nothing of it is left to try again")
    return FlowRetried(time=now, flow=flow, by=by)


def _own(config: Config, reactions: Reactions) -> list[Plugin]:
    flows = config.flows
    own: list[Plugin] = [Notify(flows.notify, publish=reactions.publish), Http(flows.targets)]
    try:
        own.append(Exec(flows.commands))
    except ValueError as error:
        raise ConfigError(f"flows.commands: {error}") from error
    if flows.grafana is not None:
        own.append(Annotate(flows.grafana))
    return own


def _settings(callee: Callee, said: Mapping[str, Terms]) -> PluginSettings:
    """Raises ConfigError."""
    terms = said.get(callee.name, Terms())
    try:
        return PluginSettings(
            name=callee.name,
            address=callee.address,
            speaks=Speaks.SPOTWARD if callee.kind == "grpc" else Speaks(callee.kind),
            calls_at_once_max=callee.at_once,
            trust=terms,
            failures_max=terms.failures_max,
            rest_seconds=terms.rest_seconds,
        )
    except ConfigError as error:
        raise ConfigError(f"the plugin `{callee.name}`: {error}") from error
