"""`spotward flows`: what the user's rules began, how far each is, and a word to those that stopped."""

import asyncio
from typing import Annotated

import typer

from spotward.cli.chosen import chosen
from spotward.cli.options import ConfigFile, State

app = typer.Typer(help="Show what your rules began, and retry or cancel it.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The flow, as `spotward flows list` names it.", metavar="FLOW")]
Failed = Annotated[bool, typer.Option("--failed", help="Only those that failed.")]
Open = Annotated[bool, typer.Option("--open", help="Only those that have not ended.")]


@app.command("list")
def show_list(failed: Failed = False, open_: Open = False, config: ConfigFile = None, state: State = None) -> int:
    """List the flows, the youngest first."""
    from spotward.cli.flow_pages import listed

    return asyncio.run(listed(chosen(config, state=state), failed=failed, only_open=open_))


@app.command("show")
def show_one(flow: Key, config: ConfigFile = None, state: State = None) -> int:
    """Show one flow: what began it, each step and what came of it."""
    from spotward.cli.flow_pages import shown

    return asyncio.run(shown(chosen(config, state=state), flow))


@app.command("retry")
def retry(flow: Key, config: ConfigFile = None, state: State = None) -> int:
    """Let a flow that failed go on where it stopped, or one that waits to try again do so now."""
    from spotward.cli.flow_pages import told

    return asyncio.run(told(chosen(config, state=state), flow, "retry"))


@app.command("cancel")
def cancel(flow: Key, config: ConfigFile = None, state: State = None) -> int:
    """End an open flow. What its plugin was asked already may still be done."""
    from spotward.cli.flow_pages import told

    return asyncio.run(told(chosen(config, state=state), flow, "cancel"))
