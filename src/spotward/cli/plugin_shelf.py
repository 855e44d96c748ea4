"""The plugins that come along, by name, and how each is made ready: for the daemon, and as a server of its own.

To put one on the shelf, write `ready`: a function of `Ground` that gives an async context manager of the plugin, and
lets go of connections when that is left; add an entry to SHELF. Its settings are a section of `OwnPlugins` in
`spotward.config`; what it needs besides is a field of `Ground`. Libraries that weigh something (boto3, a client of a
cluster) are imported inside `ready`, so that the servers of all others go without.

What the daemon's rules call where it runs is made in `flow_parts`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from spotward.config import STATE_DIRECTORY, Config, OwnPlugins
from spotward.config import Kubernetes as ClusterSettings
from spotward.engine.ports import Clock
from spotward.groups.policy import GroupsPolicy
from spotward.model.errors import ConfigError
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.builtin.annotate import Annotate
from spotward.plugins.builtin.asg_swap import AsgSwap
from spotward.plugins.builtin.command import Exec
from spotward.plugins.builtin.kubernetes import Kubernetes
from spotward.plugins.builtin.notify import Notify, Topic
from spotward.plugins.builtin.request import Http
from spotward.plugins.sdk.plugin import Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What plugins are made of."""

    own: OwnPlugins
    """Their sections: those of the daemon's file under `flows`, or those of the server's own file."""
    clock: Clock
    regions: tuple[str, ...] = ()
    """The regions that they may act in; none means that of the environment."""
    kubernetes: ClusterSettings = field(default_factory=ClusterSettings)
    """Where the cluster is."""
    state: Path = STATE_DIRECTORY
    """The directory of a journal, for a plugin that keeps one."""
    groups: GroupsPolicy = field(default_factory=GroupsPolicy)
    """What is wanted of Auto Scaling groups, by a plugin that acts on them."""
    nodes: NodesPolicy = field(default_factory=NodesPolicy)
    """How nodes of a cluster are emptied, by a plugin that empties them."""
    only_when_asked: bool = True
    """Nothing is done to groups that nobody orders."""
    observe_seconds: float = 60.0
    """How often they are looked at."""


Ready = Callable[[Ground], AbstractAsyncContextManager[Plugin]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelved:
    """One plugin that comes along."""

    kind: type[Plugin]
    """Its class, which tells name, purpose and properties without being made."""
    ready: Ready
    """Makes it. Raises ConfigError for settings with which it cannot be."""


@asynccontextmanager
async def _notify(ground: Ground) -> AsyncIterator[Plugin]:
    if not any(isinstance(each, Topic) for each in ground.own.notify.values()):
        yield Notify(ground.own.notify)
        return
    from spotward.aws.reactions import Reactions  # AWS is for those who tell a topic

    reactions = Reactions()
    try:
        yield Notify(ground.own.notify, publish=reactions.publish)
    finally:
        reactions.close()


@asynccontextmanager
async def _exec(ground: Ground) -> AsyncIterator[Plugin]:
    try:
        plugin = Exec(ground.own.commands)
    except ValueError as error:
        raise ConfigError(str(error), setting="commands") from error
    yield plugin


@asynccontextmanager
async def _http(ground: Ground) -> AsyncIterator[Plugin]:
    yield Http(ground.own.targets)


@asynccontextmanager
async def _annotate(ground: Ground) -> AsyncIterator[Plugin]:
    if ground.own.grafana is None:
        raise ConfigError("annotate needs to know where Grafana is; give `grafana` with `url` and `token_file`")
    yield Annotate(ground.own.grafana)


@asynccontextmanager
async def _asg_swap(ground: Ground) -> AsyncIterator[Plugin]:
    from spotward.cli.swap_engine import swapping  # late: boto3, and all that acts on groups

    groups = replace(ground.groups, defaults=replace(ground.groups.defaults, only_when_asked=ground.only_when_asked))
    config = Config(
        regions=ground.regions,
        state=ground.state / AsgSwap.name,
        groups=groups,
        kubernetes=ground.kubernetes,
        observe_seconds=ground.observe_seconds,
    )
    async with swapping(config) as plugin:
        yield plugin


@asynccontextmanager
async def _kubernetes(ground: Ground) -> AsyncIterator[Plugin]:
    from spotward.cli.cluster_serving import acting_in  # late: a client of a cluster, and all that acts on nodes

    async with acting_in(ground.own.kubernetes, ground.state, ground.nodes, ground.clock) as plugin:
        yield plugin


def _by_name(entries: Iterable[Shelved]) -> Mapping[str, Shelved]:
    return {each.kind.name: each for each in entries}


SHELF = _by_name(
    (
        Shelved(kind=Notify, ready=_notify),
        Shelved(kind=Exec, ready=_exec),
        Shelved(kind=Http, ready=_http),
        Shelved(kind=Annotate, ready=_annotate),
        Shelved(kind=AsgSwap, ready=_asg_swap),
        Shelved(kind=Kubernetes, ready=_kubernetes),
    )
)
"""By name, in the order in which people are shown them."""


def from_the_shelf(name: str) -> Shelved:
    """The plugin of that name. Raises ConfigError for one that there is not."""
    if name in SHELF:
        return SHELF[name]
    near = get_close_matches(name, SHELF, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(SHELF)}"
    raise ConfigError(f"no plugin that comes along is called `{name}`; {hint}")
