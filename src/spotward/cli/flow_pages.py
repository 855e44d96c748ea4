"""Flows on paper, and a word to one.

What there is, is read in the journal, also while a daemon writes it. A word to a flow goes through the daemon's doors,
since the daemon alone writes; where no daemon runs, this process is one for as long as the flow takes.
"""

import ssl
from collections.abc import Iterator, Sequence
from typing import Literal

import typer
from rich.console import Console
from rich.markup import escape

from spotward.cli.exits import Exit
from spotward.cli.flow_parts import flow_in
from spotward.cli.paper import aligned
from spotward.cli.running import journal, told_flow
from spotward.config import Config
from spotward.engine.clock import clock_from_environment
from spotward.model.errors import ConfigError
from spotward.model.flow import Flow, Outcome, TaskFact, TaskState
from spotward.model.units import counted, moment, span
from spotward.plugins.host.papers import token
from spotward.plugins.host.settings import Trust

LISTED_MAX = 1_000
"""`flows list` tells no more than the youngest so many."""

FAILED_AMONG_MAX = 100_000
"""Those that failed are looked for among so many, the youngest: after a flood a few of them stand among thousands."""

Word = Literal["retry", "cancel"]

# ---- what there is ---------------------------------------------------------------------------------------------------


async def listed(config: Config, *, failed: bool, only_open: bool) -> int:
    """Print the table."""
    async with journal(config) as store:
        if failed:
            found = await store.undertakings(ended=True, limit=FAILED_AMONG_MAX)
        else:
            found = await store.undertakings(ended=False if only_open else None, limit=LISTED_MAX)
    flows = [each for each in found if isinstance(each, Flow) and not (failed and each.outcome is not Outcome.FAILED)]
    console = Console(highlight=False)
    for line in list_lines(flows[:LISTED_MAX], clock_from_environment().now()):
        console.print(line, soft_wrap=True)
    if len(flows) > LISTED_MAX:
        console.print(f"and {counted(len(flows) - LISTED_MAX, 'older one')}; `spotward flows show FLOW` shows any")
    return Exit.DONE


async def shown(config: Config, key: str) -> int:
    """Print one. Raises ConfigError where there is none of that key."""
    async with journal(config) as store:
        flow = await flow_in(store, key)
    console = Console(highlight=False)
    for line in flow_lines(flow):
        console.print(line, soft_wrap=True)
    return Exit.DONE


def list_lines(flows: Sequence[Flow], now: float) -> Iterator[str]:
    """A table."""
    if not flows:
        yield "no flow was begun"
        return
    heading = ("flow", "for", "began", "state", "step")
    rows = [(flow.key, flow.group, moment(flow.born), state_of(flow), step_of(flow, now)) for flow in flows]
    head, *lines = aligned([heading, *rows])
    yield f"[dim]{head}[/dim]"
    yield from (_coloured(flow, escape(line)) for flow, line in zip(flows, lines, strict=True))


def _coloured(flow: Flow, line: str) -> str:
    return f"[red]{line}[/red]" if flow.outcome is Outcome.FAILED else line


def state_of(flow: Flow) -> str:
    """How far it is, in a word."""
    if flow.outcome is not None:
        return flow.outcome.value
    if flow.started_time is None:
        return "waits"
    return "runs"


def step_of(flow: Flow, now: float) -> str:
    """Where it is, or why it ended."""
    if flow.ended is not None:
        return flow.ended
    if (fact := flow.calling) is not None:
        since = f" for {span(max(0.0, now - fact.asked_time))}" if fact.asked_time is not None else ""
        progress = f": {fact.progress}" if fact.progress else ""
        return f"{fact.name} is asked{since}{progress}"
    if (fact := next((fact for fact in flow.facts if fact.state is TaskState.RESTING), None)) is not None:
        return f"{fact.name} is tried again at {moment(fact.retry_time)}: {fact.text}"
    if flow.queued:
        return "for a place among the flows of its rule"
    if flow.waits_for:
        return f"for room at the plugin {flow.waits_for}"
    return f"until {moment(flow.start_time)}" if flow.start_time > now else ""


def flow_lines(flow: Flow) -> Iterator[str]:
    """All about one."""
    event = flow.occurrence
    yield f"[bold]{escape(flow.key)}[/bold]  {state_of(flow)}"
    yield f"  rule {escape(flow.rule)}, for {escape(flow.group)}"
    about = f" about {event.subject}" if event.subject else ""
    yield f"  begun at {moment(flow.born)} by {escape(event.type + about)} of {escape(event.source)}"
    if flow.joined_count:
        yield f"  joined by {counted(flow.joined_count, 'further event')}"
    if flow.retried:
        yield f"  begun again {counted(flow.retried, 'time')} by hand"
    heading = ("step", "plugin", "state", "tries", "what came of it")
    rows = [(f.name, flow.plugin_of(f.name), f.state.value, str(f.tries or ""), said_of(f)) for f in flow.facts]
    head, *lines = aligned([heading, *rows], right={3})
    yield f"  [dim]{head}[/dim]"
    yield from (f"  {escape(line)}" for line in lines)
    if flow.ended is not None:
        yield f"  ended at {moment(flow.ended_time or flow.born)}: {escape(flow.ended)}"


def said_of(fact: TaskFact) -> str:
    """What came of a step, or the last that was heard of it."""
    return fact.progress or fact.text if fact.state is TaskState.ASKED else fact.text


# ---- a word to one ---------------------------------------------------------------------------------------------------


async def told(config: Config, key: str, word: Word) -> int:
    """Say it. Raises ConfigError where that cannot be."""
    if config.doors.port:
        await _through_the_doors(config, key, word)
        typer.echo(f"{key}: {word} was taken")
        return Exit.DONE
    return await told_flow(config, key, word)


async def _through_the_doors(config: Config, key: str, word: Word) -> None:
    import httpx

    doors = config.doors
    trust: ssl.SSLContext | bool = True
    if doors.certificate is not None:
        trust = ssl.create_default_context(cafile=str(doors.certificate))
    scheme = "https" if doors.certificate is not None else "http"
    host = "127.0.0.1" if doors.host in ("0.0.0.0", "::") else doors.host  # noqa: S104 - compared, not listened on
    sent = token(Trust(token_file=doors.token_file))
    headers = {} if sent is None else {"authorization": f"Bearer {sent}"}
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{doors.port}/flows/{key}/{word}"
    try:
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=20) as client:
            answer = await client.post(address, headers=headers)
    except (httpx.HTTPError, OSError) as error:
        where = f"{host}:{doors.port}"
        raise ConfigError(f"the daemon's doors at {where} cannot be reached ({error}); does it run?") from error
    if answer.status_code != 200:
        raise ConfigError(f"{key}: {answer.json().get('error', answer.status_code)}")
