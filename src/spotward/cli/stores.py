"""The store that the configuration names, opened to be written or to be read.

What is of Kubernetes is imported only where the journal is in a cluster.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from spotward.config import Config
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Owner, Store
from spotward.engine.store import SqliteStore, this_process

if TYPE_CHECKING:
    from spotward.kube.store import KubeStore

STANDBY_SECONDS = 1.0
"""How often a replica that stands by asks for the lease: one small call each time."""

SHUTDOWN_SECONDS = 2.5
"""How long a replica that is stopped waits for what is under way, before it hands over. What is cut off is found in
doubt by the next one, as after a kill; but a group is left alone for no longer than five seconds."""


def shared(config: Config) -> bool:
    """May several processes name the same journal, of which one acts?"""
    return config.store.kind == "kubernetes"


def policy_for(config: Config, policy: LivePolicy, *, waiting: bool) -> LivePolicy:
    """The shell's limits for that store. waiting: for as long as it takes; else no longer than a lease can be left."""
    if not shared(config):
        return policy
    return replace(
        policy,
        lease_seconds=config.store.lease_seconds,
        standby_seconds=STANDBY_SECONDS,
        standby_seconds_max=float("inf") if waiting else config.store.lease_seconds + 2 * STANDBY_SECONDS,
        shutdown_seconds=SHUTDOWN_SECONDS,
    )


def to_write(config: Config, clock: Clock, owner: Owner) -> Store:
    """For a process that may act. Raises ConfigError, LeaseHeld."""
    if shared(config):
        return _in_cluster(config, owner)
    return SqliteStore.to_write(config.state.expanduser(), clock=clock)


async def to_read(config: Config) -> Store:
    """For looking only. Raises ConfigError where there is no journal, OutsideError where it cannot be reached."""
    if not shared(config):
        return SqliteStore.to_read(config.state.expanduser())
    store = _in_cluster(config, this_process())
    try:
        await store.check_exists()
    except BaseException:
        await store.close()
        raise
    return store


def place_words(config: Config) -> str:
    """Where the journal is, for a message."""
    if not shared(config):
        return f"in {config.state.expanduser()}"
    where = f" in the namespace {config.store.namespace}" if config.store.namespace else ""
    return f"{config.store.name!r} in the cluster{where}"


def _in_cluster(config: Config, owner: Owner) -> "KubeStore":
    from spotward.engine.clock import SystemClock
    from spotward.kube.client import Kube
    from spotward.kube.configuration import find_cluster
    from spotward.kube.store import KubeStore

    cluster = find_cluster(config.kubernetes.kubeconfig, config.kubernetes.context)
    return KubeStore(
        Kube(cluster, clock=SystemClock()),
        namespace=config.store.namespace or cluster.namespace,
        name=config.store.name,
        writer=f"{owner.host}/{owner.pid}/{owner.instance}",
    )
