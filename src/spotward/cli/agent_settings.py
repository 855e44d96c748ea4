"""What an agent needs of the configuration, as values that weigh nothing; they are read in a process apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spotward.cli.apart import Apart
from spotward.cli.nth_asked import NOTHING_SAID, InPlace
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
    in_place: InPlace = NOTHING_SAID
    """What was said to the Node Termination Handler, where that is to count."""


def begin_to_read(
    file: Path | None, *, state: Path | None, theirs: Sequence[str] | None = None
) -> "Apart[AgentSettings]":
    """Of the file, or as it is without one. state: what the command line says instead. theirs: the options of the Node
    Termination Handler, where they and its variables are to count; they also count where the file says so.
    """
    return Apart(lambda: _read(file, state, theirs), what="the settings")


def _read(file: Path | None, state: Path | None, theirs: Sequence[str] | None) -> AgentSettings:
    from spotward.config import changed, load  # here alone: it weighs as much as the whole agent

    config, in_place = load(file), NOTHING_SAID
    if theirs is not None or config.compat.nth:
        from spotward.cli.nth import heard
        from spotward.compat.option import Program

        said = heard(file, Program.AGENT, theirs or ())
        config, in_place = said.config, said.in_place
    config = changed(config, state=state)
    return AgentSettings(
        nodes=config.nodes_policy,
        kubeconfig=config.kubernetes.kubeconfig,
        context=config.kubernetes.context,
        event_annotations=dict(config.kubernetes.event_annotations),
        on_notice=config.on_notice,
        webhook=config.webhook,
        state=config.state.expanduser(),
        in_place=in_place,
    )
