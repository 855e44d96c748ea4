"""The agent's settings are those of every command, read by a process that is gone before the agent begins."""

import subprocess
import sys
from pathlib import Path

import pytest

from spotward.cli.agent_settings import AgentSettings
from spotward.config import load

SECONDS = 60
READ = "from spotward.cli.agent_settings import begin_to_read; from pathlib import Path; import sys; "


def ran(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_what_a_file_says_comes_across_as_every_command_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "spotward.yaml"
    file.write_text(
        "nodes: {rebalance: drain, cluster: blue}\nstate: /var/lib/spotward\n"
        "kubernetes: {context: there, event_annotations: {team: us}}\n"
        "on_notice: [{command: [save, --all], causes: [rebalance], seconds_max: 5}]\n"
        "webhook: {url: 'https://hooks.example/x', headers: {X-Team: us}}\n"
    )
    config = load(file)
    wanted = AgentSettings(
        nodes=config.nodes_policy,
        kubeconfig=None,
        context="there",
        event_annotations={"team": "us"},
        on_notice=config.on_notice,
        webhook=config.webhook,
        state=Path("/var/lib/spotward"),
    )
    said = ran(READ + "print(begin_to_read(Path(sys.argv[1]), state=None).value())", str(file))
    assert said.stdout.strip() == str(wanted), said.stderr


def test_the_command_line_names_another_state() -> None:
    said = ran(READ + "print(begin_to_read(None, state=Path('/elsewhere')).value().state)")
    assert said.stdout.strip() == "/elsewhere"


def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "spotward.yaml"
    file.write_text("nodes:\n  interuption: drain\n")
    program = READ + (
        "from spotward.model.errors import ConfigError\n"
        "try: begin_to_read(Path(sys.argv[1]), state=None).value()\n"
        "except ConfigError as error: print(error.line, error.column, error)"
    )
    said = ran(program, str(file)).stdout
    assert said.startswith(f"2 3 {file}:2:3: unknown setting `nodes.interuption`; did you mean `interruption`?")


@pytest.mark.parametrize(
    ("work", "told"),
    [
        ("os.kill(os.getpid(), 9)", "was ended by signal 9; is there memory enough?"),
        ("1 / 0", "failed; the reason is above"),
    ],
)
def test_a_process_that_does_not_live_to_say_is_no_success(work: str, told: str) -> None:
    program = f"import os; from spotward.cli.apart import Apart; Apart(lambda: {work}, what='the settings').value()"
    said = ran(program).stderr
    assert f"ConfigError: the settings could not be read: the process that did it {told}" in said
    assert ("ZeroDivisionError" in said) == ("/" in work)


def test_an_agent_carries_nothing_of_what_reads_settings_nor_of_groups(tmp_path: Path) -> None:
    file = tmp_path / "spotward.yaml"
    file.write_text("nodes: {rebalance: drain}\n")
    program = READ + (
        "from spotward.cli.agent import run; begin_to_read(Path(sys.argv[1]), state=None).value(); "
        "import spotward.cli.agent_wire, spotward.engine.log; print(*sys.modules)"
    )
    loaded = ran(program, str(file)).stdout.split()
    assert "spotward.nodes.drain" in loaded
    assert {"pydantic", "pydantic_core", "ruamel.yaml", "spotward.config", "boto3", "httpx"} & set(loaded) == set()
    assert not any(name.startswith(("spotward.groups", "spotward.market", "spotward.sim")) for name in loaded)
