"""What an agent tells the cluster of its machine, as its metadata service says it."""

import pytest

from spotward.aws.imds_facts import DOCUMENTS, MachineFacts
from spotward.aws.imds_watch import Watch
from tests.imds.drill import drilling

pytestmark = pytest.mark.anyio

MACHINE = (
    "{instance_id: i-0123456789abcdef0, region: eu-west-1, az: eu-west-1b, instance_type: c5.xlarge,"
    " account: '123456789012', private_ip: 192.168.0.1, public_ip: 203.0.113.7}"
)


async def test_all_ten_facts_are_told_and_asked_for_once() -> None:
    async with drilling(machine=MACHINE) as drill:
        watch = Watch(drill.imds(), drill.clock)
        facts = MachineFacts(watch)
        assert await facts() == {}  # nobody has said yet whose they are
        await watch.poll()
        told = dict(await facts())
        assert (told.pop("local-hostname"), told.pop("public-hostname")) != ("", "")
        assert told == {
            "account-id": "123456789012",
            "availability-zone": "eu-west-1b",
            "instance-id": "i-0123456789abcdef0",
            "instance-life-cycle": "spot",
            "instance-type": "c5.xlarge",
            "local-ipv4": "192.168.0.1",
            "public-ipv4": "203.0.113.7",
            "region": "eu-west-1",
        }
        await facts()
        assert [drill.requests(f"/latest/meta-data/{path}") for path in DOCUMENTS] == [1] * len(DOCUMENTS)


async def test_what_cannot_be_had_now_is_left_out_and_asked_for_again() -> None:
    steps = "- {at: 0, for: 10s, fail: {status: 503, path: 'public-*'}}"
    async with drilling(steps, machine=MACHINE) as drill:
        watch = Watch(drill.imds(), drill.clock)
        await watch.poll()
        facts = MachineFacts(watch)
        assert "public-ipv4" not in await facts()
        drill.clock.turn(11.0)
        assert (await facts())["public-ipv4"] == "203.0.113.7"
