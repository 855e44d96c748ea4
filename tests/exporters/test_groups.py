"""`export groups` against the embedded cloud: the old exporter's metrics, of groups of every make in two regions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from spotward.aws.census import CensusTaker
from spotward.aws.session import Aws
from spotward.emulator.server import Emulator
from spotward.sim.shocks import Failure
from spotward.web.board import Board
from spotward.web.group_exposition import FAMILIES, group_families
from spotward.web.lookout import Lookout, LookoutPolicy, Sighting
from spotward.web.regional import GROUPS
from tests.exporters.scraping import Figures, Scraper, labels, scraping
from tests.exporters.streets import BID, SIZE, Street

REGIONS = ("us-east-1", "eu-west-1")
POLICY = LookoutPolicy(poll_seconds=15.0, stale_seconds=36_000.0)
"""Virtual seconds, of which sixty are one of ours. What becomes of stale regions is tested with a clock set by hand."""


@asynccontextmanager
async def groups_told(
    cloud: Emulator, aws: Aws, *, names: tuple[str, ...] = (), policy: LookoutPolicy = POLICY
) -> AsyncIterator[Scraper]:
    taker = CensusTaker(aws, cloud.clock, names=names)

    async def look(region: str) -> Sighting:
        census = await taker.take(region)
        return Sighting(as_of=census.as_of, families=tuple(group_families(census)), troubles=census.troubles)

    async with scraping(GROUPS, Lookout(REGIONS, look, Board(FAMILIES), cloud.clock, policy), aws) as scraper:
        yield scraper


def of_group(found: Figures, name: str, group: str, region: str = "us-east-1") -> float:
    return found[name, labels(asg_name=group, region=region)]


def of_members(found: Figures, name: str, group: str, region: str = "us-east-1") -> dict[str, float]:
    """Instance → figure."""
    return {
        dict(told)["instance_id"]: figure
        for (each, told), figure in found.items()
        if each == name and dict(told)["asg_name"] == group and dict(told)["region"] == region
    }


@dataclass(frozen=True, kw_only=True)
class Pages:
    """One exporter's page, in each way in which it is given."""

    text: str
    plain: Figures
    packed: Figures
    """As OpenMetrics, with gzip."""
    calls_between: int
    """To AWS, from the first page to the last."""


@pytest.fixture(scope="module")
def pages(cloud: Emulator, streets: dict[str, Street], shared_aws: Aws) -> Pages:
    """Of one look at the streets as they were built."""

    async def scraped() -> Pages:
        calm = LookoutPolicy(poll_seconds=36_000, stale_seconds=72_000)
        async with groups_told(cloud, shared_aws, policy=calm) as scraper:
            before = shared_aws.counter.total
            text, plain, packed = await scraper.text(), await scraper.figures(), await scraper.openmetrics()
            return Pages(text=text, plain=plain, packed=packed, calls_between=shared_aws.counter.total - before)

    return asyncio.run(scraped())


def test_groups_of_all_regions_are_told_in_the_old_exporters_words(pages: Pages, streets: dict[str, Street]) -> None:
    found = pages.plain
    assert (
        "# HELP aws_autoscaling_inservice_instances_total Total number of in service instances in the auto scaling "
        "group\n# TYPE aws_autoscaling_inservice_instances_total gauge\n"
    ) in pages.text
    for region in REGIONS:
        for group in ("on-demand", *BID, "unlimited"):
            spot = 0 if group == "on-demand" else SIZE
            assert of_group(found, "aws_autoscaling_instances_total", group, region) == SIZE
            assert of_group(found, "aws_autoscaling_inservice_instances_total", group, region) == SIZE
            assert of_group(found, "aws_autoscaling_spot_instances_total", group, region) == spot
            for state in ("pending", "standby", "terminating"):
                assert of_group(found, f"aws_autoscaling_{state}_instances_total", group, region) == 0
            ids = {member["InstanceId"] for member in streets[region].members(group)}
            assert of_members(found, "aws_instance_on_demand_price", group, region).keys() == ids
    assert found["aws_autoscaling_scrape_error", ()] == 0
    assert found["aws_autoscaling_scrapes_total", ()] >= 2
    assert not [name for name, _ in found if name == "aws_instance_stability_score"]


def test_what_spot_members_may_cost_is_told_whatever_launched_them(pages: Pages) -> None:
    found = pages.plain
    for group, bid in BID.items():
        assert set(of_members(found, "aws_instance_spot_bid_price", group).values()) == {bid}
    unlimited = of_members(found, "aws_instance_spot_bid_price", "unlimited")
    assert unlimited == of_members(found, "aws_instance_on_demand_price", "unlimited")
    assert unlimited == of_members(found, "aws_instance_optimal_bid_price", "unlimited")
    assert not of_members(found, "aws_instance_spot_bid_price", "on-demand")


def test_current_prices_are_those_of_the_members_pools_and_scores_compare_them(
    pages: Pages, streets: dict[str, Street]
) -> None:
    found, street = pages.plain, streets["eu-west-1"]
    prices = of_members(found, "aws_instance_current_price", "mixed", "eu-west-1")
    scores = of_members(found, "aws_instance_cost_score", "mixed", "eu-west-1")
    members = {member["InstanceId"]: member for member in street.members("mixed")}
    assert prices.keys() == scores.keys() == members.keys()
    for instance_id, price in prices.items():
        history = street.hand.ec2.describe_spot_price_history(
            InstanceTypes=["m5.large"],
            AvailabilityZone=members[instance_id]["AvailabilityZone"],
            ProductDescriptions=["Linux/UNIX"],
            MaxResults=50,
        )
        assert price in {float(each["SpotPrice"]) for each in history["SpotPriceHistory"]}
        assert 0 <= scores[instance_id] <= 1


def test_prometheus_gets_the_same_packed_and_as_openmetrics(pages: Pages) -> None:
    assert pages.plain.keys() == pages.packed.keys()
    steady = [key for key in pages.plain if not key[0].startswith(("process_", "spotward_export_data_age"))]
    assert len(steady) > 100
    assert {key: pages.plain[key] for key in steady} == {key: pages.packed[key] for key in steady}


def test_a_scrape_asks_aws_nothing(pages: Pages) -> None:
    assert pages.calls_between == 0


@pytest.mark.anyio
async def test_members_that_wait_at_a_hook_or_stand_by_are_counted(
    cloud: Emulator, streets: dict[str, Street], aws: Aws
) -> None:
    street = streets["us-east-1"]
    autoscaling = street.hand.autoscaling
    for transition in ("LAUNCHING", "TERMINATING"):
        autoscaling.put_lifecycle_hook(
            AutoScalingGroupName="on-demand",
            LifecycleHookName=transition.lower(),
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            HeartbeatTimeout=7200,
        )
    first, second = street.members("on-demand")
    autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first["InstanceId"], ShouldDecrementDesiredCapacity=False
    )
    autoscaling.enter_standby(
        AutoScalingGroupName="on-demand", InstanceIds=[second["InstanceId"]], ShouldDecrementDesiredCapacity=True
    )

    def settled(found: Figures) -> bool:
        names = ("pending", "standby", "terminating")
        return all(of_group(found, f"aws_autoscaling_{each}_instances_total", "on-demand") == 1 for each in names)

    def of_state(found: Figures, state: str) -> float | None:
        told = labels(asg_name="on-demand", region="us-east-1", lifecycle_state=state)
        return found.get(("aws_autoscaling_lifecycle_state_instances", told))

    async with groups_told(cloud, aws) as scraper:
        found = await scraper.until(
            lambda found: settled(found) and bool(of_state(found, "Pending:Wait")) and bool(of_state(found, "Standby"))
        )
    assert of_group(found, "aws_autoscaling_instances_total", "on-demand") == 3
    assert of_group(found, "aws_autoscaling_inservice_instances_total", "on-demand") == 0
    assert of_state(found, "Terminating:Wait") == 1
    for hook in ("launching", "terminating"):
        autoscaling.delete_lifecycle_hook(AutoScalingGroupName="on-demand", LifecycleHookName=hook)


@pytest.mark.anyio
async def test_only_the_groups_that_are_named_are_told_and_asked_for(
    cloud: Emulator, streets: dict[str, Street], aws: Aws
) -> None:
    def told(found: Figures) -> set[str]:
        return {dict(each)["asg_name"] for name, each in found if name == "aws_autoscaling_instances_total"}

    async with groups_told(cloud, aws, names=("mixed", "nobody")) as scraper:
        assert told(await scraper.figures()) == {"mixed"}
    async with groups_told(cloud, aws, names=("*mi*", "template")) as scraper:
        assert told(await scraper.figures()) == {"mixed", "template", "unlimited"}


@pytest.mark.anyio
async def test_while_nothing_changes_a_look_is_one_call_whatever_the_size(
    cloud: Emulator, streets: dict[str, Street], aws: Aws
) -> None:
    taker = CensusTaker(aws, cloud.clock)
    await taker.take("eu-west-1")
    first = aws.counter.counts.copy()
    assert first["ec2.DescribeInstances"] == first["ec2.DescribeSpotInstanceRequests"] == 1
    assert first["pricing.GetProducts"] == 1
    for _ in range(3):
        await taker.take("eu-west-1")
    later = aws.counter.counts - first
    assert later == {"autoscaling.DescribeAutoScalingGroups": 3}
    streets["eu-west-1"].resize("mixed", 2 * SIZE + 3)
    before = aws.counter.counts.copy()
    census = await taker.take("eu-west-1")
    (mixed,) = (group for group in census.groups if group.name == "mixed")
    assert [member.bid for member in mixed.members] == [BID["mixed"]] * (2 * SIZE + 3)
    new = aws.counter.counts - before
    assert new["ec2.DescribeInstances"] == new["ec2.DescribeSpotInstanceRequests"] == 1
    assert new["pricing.GetProducts"] == 0


@pytest.mark.anyio
async def test_a_region_that_fails_keeps_what_it_had_and_touches_no_other(
    cloud: Emulator, streets: dict[str, Street], aws: Aws
) -> None:
    async with groups_told(cloud, aws) as scraper:
        assert (await scraper.figures())["aws_autoscaling_scrape_error", ()] == 0
        site = cloud.sites.site("eu-west-1")
        now = cloud.clock.now() - cloud.clock.start
        site.shock(
            Failure(
                at_seconds=now,
                until_seconds=now + 150,
                operation="autoscaling.DescribeAutoScalingGroups",
                code="AccessDenied",
            )
        )
        failing = await scraper.until(lambda found: found["spotward_export_region_up", labels(region="eu-west-1")] == 0)
        assert failing["aws_autoscaling_scrape_error", ()] == 1
        assert failing["spotward_export_errors_total", labels(region="eu-west-1", code="AccessDenied")] >= 1
        assert of_group(failing, "aws_autoscaling_instances_total", "mixed", "eu-west-1") > 0
        assert failing["spotward_export_region_up", labels(region="us-east-1")] == 1
        assert of_members(failing, "aws_instance_current_price", "mixed")
        await scraper.until(lambda found: found["aws_autoscaling_scrape_error", ()] == 0)


@pytest.mark.anyio
async def test_prices_that_cannot_be_asked_for_take_no_count_away(
    cloud: Emulator, streets: dict[str, Street], aws: Aws
) -> None:
    now = cloud.clock.now() - cloud.clock.start
    for operation in ("ec2.DescribeSpotPriceHistory", "ec2.DescribeSpotInstanceRequests"):
        cloud.sites.site("us-east-1").shock(
            Failure(at_seconds=now, until_seconds=now + 120, operation=operation, code="UnauthorizedOperation")
        )
    async with groups_told(cloud, aws) as scraper:
        found = await scraper.figures()
        assert of_group(found, "aws_autoscaling_spot_instances_total", "mixed") == SIZE
        assert not of_members(found, "aws_instance_current_price", "mixed")
        assert of_members(found, "aws_instance_on_demand_price", "mixed")
        assert found["aws_autoscaling_scrape_error", ()] >= 2
        await scraper.until(lambda found: bool(of_members(found, "aws_instance_spot_bid_price", "mixed")))
        await scraper.until(lambda found: bool(of_members(found, "aws_instance_cost_score", "mixed")))
