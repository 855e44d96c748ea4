"""`spotward export groups` and `spotward export prices` as their user starts them: processes of their own."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as text_format

from spotward.emulator.server import Emulator
from spotward.emulator.stage import GroupPlan, StageHand
from spotward.web import group_exposition, price_exposition
from tests.cli.conftest import alone
from tests.cli.program import COMMAND, Program, bare_environment
from tests.exporters.scraping import Figures, figures, labels
from tests.imds.test_commands import SECONDS, got
from tests.ports import free_port

__all__ = ["alone"]

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "exporters.md").read_text()


@contextmanager
def exporting(cloud: Emulator, *words: str) -> Iterator[Figures]:
    """The page, once every region that is meant stands on it."""
    port = free_port()
    command = [*COMMAND, "export", *words, "-listen-address", f"127.0.0.1:{port}"]
    environment = bare_environment() | cloud.environment()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        found: Figures = {}
        while not found or any(figure == float("inf") for figure in found.values()):
            time.sleep(0.2)
            found = figures(text_format(got(f"http://127.0.0.1:{port}/metrics")))
        yield found
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, log
        assert "Traceback" not in log
    finally:
        process.kill()
        process.communicate()


def regions(found: Figures) -> set[str]:
    return {dict(told)["region"] for name, told in found if name == "spotward_export_region_up"}


def test_groups_of_several_regions_are_told_with_the_old_flags(cloud: Emulator) -> None:
    for region in ("us-east-1", "eu-west-1"):
        hand = StageHand(cloud.url, region=region)
        plan = GroupPlan(name=f"web-{region}", size=1)
        hand.build_group(hand.build_network(), plan)
        hand.wait_in_service([plan])
    words = ("-region", "us-east-1", "--region=eu-west-[12]", "-recommender-url", "http://localhost:9090")
    with exporting(cloud, "groups", *words, "-log-level", "debug", "-auto-scaling-groups", "") as found:
        assert regions(found) == {"us-east-1", "eu-west-1", "eu-west-2"}
        for region in ("us-east-1", "eu-west-1"):
            told = labels(asg_name=f"web-{region}", region=region)
            assert found["aws_autoscaling_inservice_instances_total", told] == 1
    names = {name for name, _ in found}
    assert names - written() == set()


def test_prices_of_one_region_are_told_with_the_old_flags(cloud: Emulator) -> None:
    words = ("-regions", "me-south-1", "-partitions", "aws", "-product-descriptions", "Linux/UNIX,Windows")
    with exporting(cloud, "prices", *words, "--instance-types", "m5.*", "--cloudinfo-names") as found:
        assert regions(found) == {"me-south-1"}
        told = [dict(each) for name, each in found if name == "aws_spot_current_price"]
        assert {each["product_description"] for each in told} == {"Linux/UNIX", "Windows"}
    names = {name for name, _ in found}
    assert {each.name for each in price_exposition.FAMILIES} <= names
    assert names - written() == set()


def written() -> set[str]:
    """Metrics that the reference tells."""
    return {
        name
        for row in re.findall(r"^\| (`[a-z].*?) \|", REFERENCE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }


def test_the_reference_tells_every_metric() -> None:
    every = {each.name for each in (*group_exposition.FAMILIES, *price_exposition.FAMILIES)}
    assert every - written() == set()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("groups", "--poll-seconds", "0"), "--poll-seconds is 0; give 1 or more"),
        (("groups", "--stale-seconds", "10"), "nothing would ever be told"),
        (("prices", "--listen-address", "8080"), "give an address and a port"),
        (("prices", "--product-descriptions", "Lunix"), "give one of 'Linux/UNIX'"),
        (("prices", "--metrics-path", "metrics"), "must begin with a slash"),
        (("groups", "--on-demand-prices", "/nowhere.json"), "cannot be read"),
        (("prices", "--partitions", "aws-mars"), "unknown partition 'aws-mars'; there are aws"),
        (("prices", "--partitions", "aws", "--region", "mars-1"), "no region of aws is 'mars-1'"),
        (("groups", "--log-level", "loud"), "give one of debug, info"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(alone: Program, words: Sequence[str], says: str) -> None:
    assert says in alone("export", *words, code=2).err


def test_without_credentials_it_says_so_and_ends() -> None:
    environment = bare_environment() | {"AWS_EC2_METADATA_DISABLED": "true"}
    command = [*COMMAND, "export", "groups", "--listen-address", "127.0.0.1:0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 4
    assert "no AWS credentials were found" in ended.stderr
    assert "Traceback" not in ended.stderr
