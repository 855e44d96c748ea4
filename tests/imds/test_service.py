"""The metadata service that we serve, asked over a real port: what any fake of it must do."""

import asyncio
import http.client
import json
from typing import Any

import pytest
from botocore.utils import InstanceMetadataFetcher

from spotward.emulator.imds.door import serving_metadata
from spotward.emulator.imds.service import MALFORMED, PATHS_COUNTED_MAX
from spotward.events.imds import INTERRUPTION, MAINTENANCE, REBALANCE, TARGET_STATE
from spotward.http.values import Request
from spotward.model.errors import ConfigError, Transient
from tests.imds.drill import SECONDS, drilling

pytestmark = pytest.mark.anyio

TTL = "x-aws-ec2-metadata-token-ttl-seconds"

# ---- nothing is said -------------------------------------------------------------------------------------------------


async def test_a_machine_that_is_left_alone_has_an_empty_list_of_events_and_no_notices() -> None:
    async with drilling() as drill:
        assert (await drill.get(INTERRUPTION)).status == 404
        assert (await drill.get("spot/termination-time")).status == 404
        assert (await drill.get(REBALANCE)).status == 404
        assert await drill.text(MAINTENANCE) == "[]"
        assert await drill.text("events/maintenance/history") == "[]"
        assert await drill.text(TARGET_STATE) == "InService"
        assert await drill.text("instance-life-cycle") == "spot"


async def test_a_machine_in_no_group_has_no_target_state() -> None:
    async with drilling(machine="{target_state: none}") as drill:
        assert (await drill.get(TARGET_STATE)).status == 404


async def test_directories_are_listed_and_absent_ones_are_not_there() -> None:
    async with drilling(machine="{tags: [Name=web, team=a=b]}") as drill:
        listed = await drill.text("")
        assert listed is not None
        names = listed.split("\n")
        assert {"instance-id", "placement/", "events/", "tags/"} <= set(names)
        assert "spot/" not in names
        assert await drill.text("placement/") == await drill.text("placement")
        assert await drill.text("tags/instance/") == "Name\nteam"
        assert await drill.text("tags/instance/team") == "a=b"
        assert (await drill.ask("GET", "/latest/")).text == "dynamic/\nmeta-data/"
        assert "latest" in (await drill.ask("GET", "/")).text.split("\n")
        assert (await drill.ask("GET", "/2021-03-23/meta-data/instance-id")).status == 200
        assert (await drill.ask("GET", "/oldest/meta-data/instance-id")).status == 404


MOCKED_ELSEWHERE = [
    "ami-id",
    "ami-launch-index",
    "ami-manifest-path",
    "block-device-mapping/ami",
    "block-device-mapping/ebs0",
    "block-device-mapping/ephemeral0",
    "block-device-mapping/root",
    "block-device-mapping/swap",
    "elastic-inference/associations",
    "events/maintenance/scheduled",
    "hostname",
    "iam/info",
    "iam/security-credentials/",
    "instance-action",
    "instance-id",
    "instance-life-cycle",
    "instance-type",
    "kernel-id",
    "local-hostname",
    "local-ipv4",
    "mac",
    "network/interfaces/macs/",
    "placement/availability-zone",
    "placement/availability-zone-id",
    "placement/group-name",
    "placement/host-id",
    "placement/partition-number",
    "placement/region",
    "product-codes",
    "public-hostname",
    "public-ipv4",
    "public-keys/0/openssh-key",
    "ramdisk-id",
    "reservation-id",
    "security-groups",
    "services/domain",
    "services/partition",
    "spot/instance-action",
    "spot/termination-time",
    "events/recommendations/rebalance",
    "autoscaling/target-lifecycle-state",
]


@pytest.mark.parametrize("path", MOCKED_ELSEWHERE)
async def test_every_document_that_the_known_mock_serves_is_served(path: str) -> None:
    async with drilling("- {at: 0, interruption: terminate}\n- {at: 0, rebalance: now}") as drill:
        assert (await drill.get(path)).status == 200


async def test_the_documents_agree_on_who_the_machine_is() -> None:
    machine = "{instance_id: i-0abc, region: eu-west-1, private_ip: 10.1.2.3, instance_type: c5.xlarge}"
    async with drilling(machine=machine) as drill:
        document = json.loads((await drill.ask("GET", "/latest/dynamic/instance-identity/document")).text)
        assert document["instanceId"] == await drill.text("instance-id") == "i-0abc"
        assert document["availabilityZone"] == await drill.text("placement/availability-zone") == "eu-west-1a"
        assert document["privateIp"] == await drill.text("local-ipv4")
        assert await drill.text("hostname") == "ip-10-1-2-3.eu-west-1.compute.internal"
        mac = await drill.text("mac")
        assert await drill.text(f"network/interfaces/macs/{mac}/local-ipv4s") == "10.1.2.3"
        assert (await drill.ask("GET", "/latest/dynamic/instance-identity/pkcs7")).status == 200


# ---- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_answers_with_its_lifetime_and_every_answer_with_what_is_left_of_it() -> None:
    async with drilling() as drill:
        answer = await drill.ask("PUT", "/latest/api/token", {TTL: "60"})
        assert answer.headers[TTL] == "60"
        drill.clock.turn(20)
        told = await drill.get("instance-id", answer.text)
        assert told.status == 200
        assert told.headers[TTL] == "40"


@pytest.mark.parametrize("ttl", [None, "0", "21601", "-1", "soon", "9" * 30])
async def test_a_token_of_no_or_a_wrong_lifetime_is_refused(ttl: str | None) -> None:
    async with drilling() as drill:
        assert (await drill.ask("PUT", "/latest/api/token", {} if ttl is None else {TTL: ttl})).status == 400


async def test_a_token_is_not_given_through_a_proxy_nor_for_another_method() -> None:
    async with drilling() as drill:
        assert (await drill.ask("PUT", "/latest/api/token", {TTL: "60", "X-Forwarded-For": "10.0.0.1"})).status == 403
        assert (await drill.ask("GET", "/latest/api/token", {TTL: "60"})).status == 405
        assert (await drill.ask("POST", "/latest/meta-data/instance-id")).status == 405


async def test_with_v2_only_a_request_without_a_token_is_refused() -> None:
    async with drilling(v1=False) as drill:
        refused = await drill.get("instance-id")
        assert refused.status == 401
        assert "401 - Unauthorized" in refused.text
        assert await drill.text("instance-id") == "i-1234567890abcdef0"


async def test_a_bad_token_is_refused_even_where_none_is_needed() -> None:
    async with drilling(v1=True) as drill:
        assert (await drill.get("instance-id")).status == 200
        for bad in ("nonsense", "AAAA", "A" * 56, (await drill.token())[:-4] + "AAA="):
            assert (await drill.get("instance-id", bad)).status == 401


async def test_a_token_that_has_run_out_is_refused() -> None:
    async with drilling() as drill:
        token = await drill.token(10)
        drill.clock.turn(11)
        assert (await drill.get("instance-id", token)).status == 401


async def test_when_the_key_changes_in_the_middle_every_token_so_far_is_refused_and_new_ones_are_good() -> None:
    async with drilling("- {at: 30s, forget_tokens: true}") as drill:
        old = await drill.token()
        assert (await drill.get("instance-id", old)).status == 200
        drill.clock.turn(30)
        assert (await drill.get("instance-id", old)).status == 401
        new = await drill.token()
        drill.clock.turn(5)
        assert (await drill.get("instance-id", new)).status == 200


# ---- what is said ----------------------------------------------------------------------------------------------------


async def test_a_notice_keeps_its_time_however_often_it_is_read() -> None:
    async with drilling("- {at: 30s, interruption: terminate}") as drill:
        assert await drill.text(INTERRUPTION) is None
        drill.clock.turn(30)
        first = await drill.text(INTERRUPTION)
        drill.clock.turn(45)
        assert await drill.text(INTERRUPTION) == first == '{"action": "terminate", "time": "2026-11-11T21:33:04Z"}'
        assert await drill.text("spot/termination-time") == "2026-11-11T21:33:04Z"


async def test_hibernation_begins_at_once_and_a_drill_may_give_any_time() -> None:
    async with drilling("- {at: 0, interruption: hibernate}") as drill:
        assert await drill.text(INTERRUPTION) == '{"action": "hibernate", "time": "2026-11-11T21:30:34Z"}'
        assert await drill.text("spot/termination-time") is None
    async with drilling("- {at: 0, interruption: {action: stop, in: 10m}}") as drill:
        assert await drill.text(INTERRUPTION) == '{"action": "stop", "time": "2026-11-11T21:40:34Z"}'


async def test_a_drill_goes_from_advice_to_the_notice_to_termination_by_the_group() -> None:
    steps = "- {at: 0, rebalance: now}\n- {at: 30s, interruption: terminate}\n- {at: 60s, target_state: Terminated}"
    async with drilling(steps) as drill:
        told = []
        for seconds in (0, 30, 30):
            drill.clock.turn(seconds)
            told.append([await drill.text(path) is not None for path in (REBALANCE, INTERRUPTION)])
            told[-1].append(await drill.text(TARGET_STATE) == "Terminated")
        assert told == [[True, False, False], [True, True, False], [True, True, True]]


async def test_several_scheduled_events_are_listed_moved_and_canceled_one_by_one() -> None:
    steps = """
- {at: 0, maintenance: {id: e-1, code: system-reboot, not_before: 14d, not_after: 14d2h}}
- {at: 1s, maintenance: {id: e-2, code: instance-stop, not_before: 1h, deadline: 2h}}
- {at: 2s, maintenance: {id: e-1, not_before: 15d}}
- {at: 3s, cancel: e-2}
"""
    async with drilling(steps) as drill:
        assert [event["EventId"] for event in json.loads(await drill.text(MAINTENANCE) or "")] == ["e-1"]
        drill.clock.turn(1)
        before = json.loads(await drill.text(MAINTENANCE) or "")
        assert [event["State"] for event in before] == ["active", "active"]
        assert before[0]["NotBefore"] == "25 Nov 2026 21:30:34 GMT"
        assert before[1]["NotBeforeDeadline"] == "11 Nov 2026 23:30:35 GMT"
        drill.clock.turn(1)
        moved = {event["EventId"]: event for event in json.loads(await drill.text(MAINTENANCE) or "")}
        assert moved["e-1"]["NotBefore"] == "26 Nov 2026 21:30:36 GMT"
        drill.clock.turn(1)
        states = {event["EventId"]: event["State"] for event in json.loads(await drill.text(MAINTENANCE) or "")}
        assert states == {"e-1": "active", "e-2": "canceled"}
        history = json.loads(await drill.text("events/maintenance/history") or "")
        assert [event["EventId"] for event in history] == ["e-2"]


@pytest.mark.parametrize(("what", "path"), [("interruption", INTERRUPTION), ("rebalance", REBALANCE)])
async def test_what_is_canceled_is_said_no_more(what: str, path: str) -> None:
    steps = f"- {{at: 0, interruption: stop}}\n- {{at: 0, rebalance: now}}\n- {{at: 5s, cancel: {what}}}"
    async with drilling(steps) as drill:
        assert await drill.text(path) is not None
        drill.clock.turn(5)
        assert await drill.text(path) is None


# ---- what fails ------------------------------------------------------------------------------------------------------


async def test_failures_are_injected_where_and_as_long_as_the_script_says() -> None:
    steps = """
- {at: 10s, for: 10s, fail: {status: 500, path: spot/*}}
- {at: 10s, until: 20s, fail: {status: 503, path: token}}
- {at: 30s, fail: {status: 401, times: 2}}
- {at: 40s, fail: {malformed: true, path: instance-id}}
"""
    async with drilling(steps) as drill:
        token = await drill.token()
        drill.clock.turn(10)
        assert (await drill.get(INTERRUPTION, token)).status == 500
        assert (await drill.get("instance-id", token)).status == 200
        assert (await drill.ask("PUT", "/latest/api/token", {TTL: "60"})).status == 503
        drill.clock.turn(10)
        assert (await drill.get(INTERRUPTION, token)).status == 404
        drill.clock.turn(10)
        assert [(await drill.get("instance-id", token)).status for _ in range(3)] == [401, 401, 200]
        drill.clock.turn(10)
        assert (await drill.get("instance-id", token)).text == MALFORMED


async def test_a_service_that_hangs_answers_nothing_and_one_that_is_garbage_speaks_no_http() -> None:
    async with drilling("- {at: 0, fail: {hang: true, path: spot/*}}\n- {at: 0, fail: {garbage: true}}") as drill:
        with pytest.raises(Transient) as hung:
            await drill.client.ask("GET", f"/latest/meta-data/{INTERRUPTION}", seconds_max=0.2)
        with pytest.raises(Transient) as garbled:
            await drill.get("instance-id")
        assert (hung.value.code, garbled.value.code) == ("Timeout", "NotHttp")


async def test_a_slow_answer_is_a_right_answer() -> None:
    async with drilling("- {at: 0, fail: {delay: 0.2s}}") as drill:
        began = asyncio.get_running_loop().time()
        assert (await drill.get("instance-id")).status == 200
        assert asyncio.get_running_loop().time() - began >= 0.2


# ---- many machines, and our own pages --------------------------------------------------------------------------------


async def test_every_machine_has_a_place_of_its_own_and_its_own_tokens() -> None:
    async with drilling() as drill:
        own = await drill.door.own_port("i-2")
        one, two = drill.imds(url=drill.door.url_of("i-1")), drill.imds(url=own)
        assert (await one.machine()).instance_id == "i-1"
        assert (await two.machine()).instance_id == "i-2"
        refused = await drill.ask(
            "GET", "/i-1/latest/meta-data/instance-id", {"X-aws-ec2-metadata-token": await drill.token()}
        )
        assert refused.status == 401


async def test_steps_may_be_added_while_the_drill_goes_on() -> None:
    async with drilling() as drill:
        drill.clock.turn(100)
        body = "- {at: 5s, interruption: terminate}\n- {at: 0, for: 5s, fail: {status: 503}}"
        assert (await drill.ask("POST", "/_spotward/steps", body=body)).status == 200
        assert (await drill.get("instance-id")).status == 503
        drill.clock.turn(5)
        assert await drill.text(INTERRUPTION) == '{"action": "terminate", "time": "2026-11-11T21:34:19Z"}'
        refused = await drill.ask("POST", "/_spotward/steps", body="- {at: 5s, interuption: terminate}")
        assert refused.status == 400
        assert "did you mean `interruption`?" in refused.text
        counted = json.loads((await drill.ask("GET", "/_spotward/requests")).text)
        assert {"path": "/latest/meta-data/instance-id", "status": 503, "requests": 1} in counted
        assert (await drill.ask("GET", "/_spotward/nothing")).status == 404


async def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    async with drilling() as drill:
        taken = int(drill.door.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match="give another --host or --port"):
            async with serving_metadata(drill.service, drill.clock, port=taken):
                pass


async def test_it_listens_on_the_loopback_address_alone() -> None:
    async with drilling() as drill:
        assert drill.door.url.startswith("http://127.0.0.1:")


async def test_another_make_of_client_is_served_too() -> None:
    def ask(port: int) -> tuple[int, bytes, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        line.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        token = line.getresponse().read()
        line.request("GET", "/latest/meta-data/instance-id", headers={"X-aws-ec2-metadata-token": token.decode()})
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return answer.status, body, token

    async with drilling(v1=False) as drill:
        status, body, _ = await asyncio.to_thread(ask, int(drill.door.url.rpartition(":")[2]))
        assert (status, body) == (200, b"i-1234567890abcdef0")


async def test_awss_own_library_takes_its_credentials_from_it() -> None:
    def fetch(url: str) -> dict[str, Any]:
        fetcher = InstanceMetadataFetcher(timeout=int(SECONDS), num_attempts=1, base_url=url, env={})
        return dict(fetcher.retrieve_iam_role_credentials())

    async with drilling(machine="{profile: web}", v1=False) as drill:
        found = await asyncio.to_thread(fetch, drill.door.url + "/")
        assert found["role_name"] == "web"
        assert found["access_key"].startswith("ASIA")
        assert drill.requests("/latest/api/token") == 1


async def test_what_is_asked_for_without_end_is_counted_with_an_end() -> None:
    async with drilling() as drill:
        for number in range(PATHS_COUNTED_MAX + 10):
            request = Request(method="GET", target=f"/latest/{number}")
            drill.service.answer(request, time=drill.clock.now())
        assert len(drill.service.requests) == PATHS_COUNTED_MAX + 1
        assert drill.requests("others") == 10
