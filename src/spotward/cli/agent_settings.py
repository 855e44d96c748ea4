"""What an agent needs of the configuration, as values that weigh nothing; they are read in a process apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spotward.cli.apart import Apart
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.on_notice import OnNotice
from spotward.plugins.webhook import Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSettings:
    """Of the operator's settings, those that count on a node."""

    nodes: NodesPolicy
    kubeconfig: Path | None
    context: str | None
    event_annotations: Mapping[str, str]
    on_notice: tuple[OnNotice, ...]
    webhook: Webhook
    state: Path
    """The directory of all state; the agent's own is in it."""


def begin_to_read(file: Path | None, *, state: Path | None) -> "Apart[AgentSettings]":
    """Of the file, or as it is without one. state: what the command line says instead."""
    return Apart(lambda: _read(file, state), what="the settings")


def _read(file: Path | None, state: Path | None) -> AgentSettings:
    from spotward.config import changed, load  # here alone: it weighs as much as the whole agent

    config = changed(load(file), state=state)
    return AgentSettings(
        nodes=config.nodes_policy,
        kubeconfig=config.kubernetes.kubeconfig,
        context=config.kubernetes.context,
        event_annotations=dict(config.kubernetes.event_annotations),
        on_notice=config.on_notice,
        webhook=config.webhook,
        state=config.state.expanduser(),
    )
