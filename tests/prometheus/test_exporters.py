"""`spotward export groups` and `export prices` as a real Prometheus takes them: every sample, each panel of theirs, and
what its linter has to say, which is the old exporters' names."""

import re
import subprocess
from collections.abc import Iterator

import pytest
import requests

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import COMMAND, bare_environment
from tests.cli.scenery import CALM
from tests.emulator.clients import eventually
from tests.exporters.streets import Street
from tests.ports import free_ports
from tests.prometheus.conftest import StartPrometheus
from tests.prometheus.expressions import Panel, panels, with_everything
from tests.prometheus.servers import Prometheus, program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS_MAX = 150.0

OF_TERMINATIONS = re.compile("imminent|rebalance|metadata|maintenance|termination|imds")
"""Panels of the exporter of terminations, which does not run here."""

NAMED_BY_OTHERS = re.compile(
    r'^aws_autoscaling_\w*instances_total non-counter metrics should not have "_total" suffix$', re.MULTILINE
)
"""The old exporter's names are kept, whatever became custom since."""


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[str, str]]:
    """Where groups and prices are told."""
    with Emulator(EmulatorSettings(seed=3, speed=60.0, throttling=False)) as cloud:
        cloud.sites.shock(CALM)
        Street(cloud, "us-east-1")
        environment, ports = bare_environment() | cloud.environment(), free_ports(2)
        words = (("groups", "--region", "us-east-1"), ("prices", "--region", "us-east-1,me-south-1"))
        running = [
            subprocess.Popen(
                [*COMMAND, "export", *each, "--listen-address", f"127.0.0.1:{port}", "--log-level", "error"],
                env=environment,
            )
            for each, port in zip(words, ports, strict=True)
        ]
        try:
            groups, prices = (f"http://127.0.0.1:{port}" for port in ports)
            eventually(lambda: _ready(groups) and _ready(prices), seconds_max=SECONDS_MAX)
            yield groups, prices
        finally:
            for process in running:
                process.terminate()
                process.wait(timeout=60)


def _ready(page: str) -> bool:
    try:
        return requests.get(f"{page}/readyz", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_prometheus_takes_every_sample_and_each_panel_of_theirs_tells_something(
    pages: tuple[str, str], prometheus: StartPrometheus
) -> None:
    targets = [page.removeprefix("http://") for page in pages]
    server = prometheus(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "exporters", "static_configs": [{"targets": targets}]}],
        }
    )
    text = requests.get(f"{pages[1]}/metrics", timeout=60).text
    pools = len(re.findall(r"^aws_spot_current_price{", text, re.MULTILINE))
    assert pools > 5_000
    eventually(lambda: _count(server, "aws_spot_current_price") == pools, seconds_max=SECONDS_MAX)
    eventually(lambda: _count(server, "aws_instance_cost_score") > 0, seconds_max=SECONDS_MAX)
    silent = [str(panel) for panel in panels() if _ours(panel) and not _tells(server, panel)]
    assert silent == []
    assert sum(map(_ours, panels())) >= 8


@pytest.mark.parametrize("which", [0, 1], ids=["groups", "prices"])
def test_the_linter_minds_only_the_names_that_others_gave(pages: tuple[str, str], which: int) -> None:
    text = requests.get(f"{pages[which]}/metrics", timeout=60).text
    words = [program("promtool"), "check", "metrics"]
    linted = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert NAMED_BY_OTHERS.sub("", linted.stdout + linted.stderr).strip() == ""


def _ours(panel: Panel) -> bool:
    return panel.dashboard == "exporters" and not any(map(OF_TERMINATIONS.search, panel.expressions))


def _count(server: Prometheus, name: str) -> int:
    return int(next((each["value"][1] for each in server.query(f"count({name})")), 0))


def _tells(server: Prometheus, panel: Panel) -> bool:
    return any(server.query(with_everything(expression)) for expression in panel.expressions)
