"""Scheduled maintenance: announced, told by AWS Health, moved, taken back, done."""

from datetime import UTC, datetime
from typing import Any

import pytest

from spotward.sim.drills import Drills
from spotward.sim.errors import ApiError
from spotward.sim.shocks import MaintenanceWithdrawal, ScheduledMaintenance, Shock
from tests.sim.scene import ACCOUNT, REGION, START, TARGETS, Scene

HEALTH = "AWS Health Event"
HOUR = 3600.0


def announce(scene: Scene, code: str = "instance-retirement", **what: Any) -> list[str]:
    """Two hours ahead, for an hour, unless told otherwise."""
    asked = {"notice_seconds": 2 * HOUR, "lasts_seconds": HOUR, **what}
    return scene.cloud.announce_maintenance(ScheduledMaintenance(at_seconds=0, code=code, **asked))


def events_of(scene: Scene, instance_id: str) -> list[dict[str, Any]]:
    asked = {"InstanceIds": [instance_id], "IncludeAllInstances": True}
    (status,) = scene.ec2("DescribeInstanceStatus", **asked)["InstanceStatuses"]
    return list(status.get("Events", []))


def told(scene: Scene) -> list[dict[str, Any]]:
    return [event["detail"] for event in scene.events(HEALTH)]


def test_what_is_scheduled_is_described_with_the_instances_status() -> None:
    scene = Scene()
    one, other = scene.run(2)
    assert announce(scene, instance=one) == [one]
    (event,) = events_of(scene, one)
    assert event.pop("InstanceEventId").startswith("instance-event-0")
    assert event == {
        "Code": "instance-retirement",
        "Description": "The instance is running on degraded hardware",
        "NotBefore": datetime.fromtimestamp(scene.time + 2 * HOUR, UTC),
        "NotAfter": datetime.fromtimestamp(scene.time + 3 * HOUR, UTC),
    }
    assert events_of(scene, other) == []
    by_code = [{"Name": "event.code", "Values": ["instance-retirement"]}]
    found = scene.ec2("DescribeInstanceStatus", Filters=by_code)["InstanceStatuses"]
    assert [status["InstanceId"] for status in found] == [one]


def test_health_names_everybody_whom_a_change_concerns() -> None:
    scene = Scene()
    ids = scene.run(3)
    scene.events()
    announce(scene, "system-reboot")
    (event,) = scene.events(HEALTH)
    assert event["source"] == "aws.health"
    assert sorted(event["resources"]) == sorted(ids)
    detail = event["detail"]
    assert sorted(one["entityValue"] for one in detail.pop("affectedEntities")) == sorted(ids)
    assert detail.pop("communicationId").endswith("-1")
    type_code = "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED"
    assert detail.pop("eventArn").startswith(f"arn:aws:health:{REGION}::event/EC2/{type_code}/{type_code}_")
    assert detail.pop("eventDescription")[0]["language"] == "en_US"
    assert {detail.pop(name)[-4:] for name in ("startTime", "endTime", "lastUpdatedTime")} == {" GMT"}
    assert detail == {
        "service": "EC2",
        "eventTypeCode": type_code,
        "eventTypeCategory": "scheduledChange",
        "eventScopeCode": "ACCOUNT_SPECIFIC",
        "statusCode": "upcoming",
        "eventRegion": REGION,
        "affectedAccount": ACCOUNT,
        "page": "1",
        "totalPages": "1",
    }


def test_a_long_list_comes_in_pages_that_share_their_communication() -> None:
    scene = Scene()
    ids = scene.run(5)
    announce(scene, page_size=2)
    pages = told(scene)
    assert [(one["page"], one["totalPages"]) for one in pages] == [("1", "3"), ("2", "3"), ("3", "3")]
    assert [len(one["affectedEntities"]) for one in pages] == [2, 2, 1]
    assert sorted(entity["entityValue"] for one in pages for entity in one["affectedEntities"]) == sorted(ids)
    assert len({one["eventArn"] for one in pages}) == 1
    assert {one["communicationId"].rpartition("-")[0] for one in pages} == {
        pages[0]["communicationId"].removesuffix("-1")
    }
    assert [one["communicationId"][-2:] for one in pages] == ["-1", "-2", "-3"]


def test_a_retired_machine_is_stopped_at_its_time_and_its_group_replaces_it() -> None:
    scene = Scene()
    scene.group(desired=2)
    (victim,) = announce(scene, group="web", count=1)
    scene.wait(2 * HOUR - 1)
    assert scene.state(victim) == "running"
    scene.wait(31)
    assert scene.state(victim) in ("stopping", "stopped")
    assert scene.instance(victim)["StateReason"]["Code"] == "Server.ScheduledStop"
    scene.wait(120)
    assert len(scene.members()) == 2
    assert victim not in scene.members()
    assert events_of(scene, victim)[0]["Description"].startswith("[Completed] ")


def test_a_spot_instance_cannot_be_stopped_and_is_terminated() -> None:
    scene = Scene()
    (victim,) = scene.run(spot=True)
    announce(scene)
    scene.wait(2 * HOUR + 60)
    assert scene.state(victim) == "terminated"


def test_a_reboot_leaves_the_machine_running_with_nothing_that_answers_for_a_while() -> None:
    scene = Scene()
    scene.group(desired=1, TargetGroupARNs=[TARGETS])
    (member,) = scene.members()
    scene.wait(60)

    def health() -> str:
        (found,) = scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS)["TargetHealthDescriptions"]
        return str(found["TargetHealth"]["State"])

    def reachability() -> str:
        (status,) = scene.ec2("DescribeInstanceStatus", InstanceIds=[member])["InstanceStatuses"]
        return str(status["InstanceStatus"]["Status"])

    announce(scene, "instance-reboot")
    scene.wait(2 * HOUR - 1)
    assert (health(), reachability()) == ("healthy", "ok")
    scene.wait(31)
    assert (health(), reachability(), scene.state(member)) == ("unhealthy", "initializing", "running")
    scene.wait(90)
    assert (health(), reachability(), scene.state(member)) == ("healthy", "ok", "running")
    assert events_of(scene, member)[0]["Description"] == "[Completed] scheduled reboot"
    assert scene.members() == [member]


def test_health_tells_when_a_change_begins_and_closes_it_when_the_last_is_done() -> None:
    scene = Scene()
    early, late = scene.run(2)
    announce(scene)
    scene.events()
    scene.ec2("TerminateInstances", InstanceIds=[early])
    scene.wait(60)
    assert told(scene) == [], "one is still to be done"
    scene.wait(2 * HOUR + 60)
    began, ended = told(scene)
    assert (began["statusCode"], ended["statusCode"]) == ("open", "closed")
    assert {one["entityValue"]: one["status"] for one in began["affectedEntities"]} == {
        early: "RESOLVED",
        late: "PENDING",
    }
    assert {one["status"] for one in ended["affectedEntities"]} == {"RESOLVED"}
    assert began["eventArn"] == ended["eventArn"]
    assert began["communicationId"] != ended["communicationId"]


def test_whoever_stops_his_instance_before_has_left_the_host_and_is_done() -> None:
    scene = Scene()
    (one,) = scene.run()
    announce(scene)
    scene.ec2("StopInstances", InstanceIds=[one])
    scene.wait(60)
    scene.ec2("StartInstances", InstanceIds=[one])
    assert events_of(scene, one)[0]["Description"].startswith("[Completed] ")
    scene.wait(3 * HOUR)
    assert scene.state(one) == "running"


def test_whoever_reboots_before_an_instance_reboot_is_done_but_not_before_a_system_reboot() -> None:
    scene = Scene()
    (one,) = scene.run()
    announce(scene, "instance-reboot")
    announce(scene, "system-reboot")
    scene.ec2("RebootInstances", InstanceIds=[one])
    assert {event["Code"]: event["Description"] for event in events_of(scene, one)} == {
        "system-reboot": "scheduled reboot",
        "instance-reboot": "[Completed] scheduled reboot",
    }


def test_maintenance_that_is_taken_back_is_not_done() -> None:
    scene = Scene()
    one, other = scene.run(2)
    announce(scene)
    scene.events()
    assert scene.cloud.withdraw_maintenance(instance=one) == [one]
    assert told(scene) == []
    assert scene.cloud.withdraw_maintenance() == [other]
    (closed,) = told(scene)
    assert closed["statusCode"] == "closed"
    assert events_of(scene, one)[0]["Description"] == "[Canceled] The instance is running on degraded hardware"
    scene.wait(3 * HOUR)
    assert (scene.state(one), scene.state(other)) == ("running", "running")


def test_what_is_over_is_shown_for_a_week() -> None:
    scene = Scene()
    (one,) = scene.run()
    announce(scene)
    scene.cloud.withdraw_maintenance()
    scene.wait(7 * 24 * HOUR - 1)
    assert len(events_of(scene, one)) == 1
    scene.wait(2)
    assert events_of(scene, one) == []


def test_an_owner_may_move_a_reboot_up_to_its_deadline() -> None:
    scene = Scene()
    (one,) = scene.run()
    announce(scene, "instance-reboot", notice_seconds=5 * HOUR)
    (event,) = events_of(scene, one)
    assert event["NotBeforeDeadline"] == datetime.fromtimestamp(scene.time + 11 * HOUR, UTC)
    whom = {"InstanceId": one, "InstanceEventId": event["InstanceEventId"]}
    for wrong in (scene.time + HOUR - 1, scene.time + 11 * HOUR + 1):
        with pytest.raises(ApiError, match="at least 60 minutes from now"):
            scene.ec2("ModifyInstanceEventStartTime", NotBefore=datetime.fromtimestamp(wrong, UTC), **whom)
    later = datetime.fromtimestamp(scene.time + 10 * HOUR, UTC)
    scene.events()
    assert scene.ec2("ModifyInstanceEventStartTime", NotBefore=later, **whom)["Event"]["NotBefore"] == later
    assert [detail["statusCode"] for detail in told(scene)] == ["upcoming"]
    scene.wait(9 * HOUR)
    assert events_of(scene, one)[0]["Description"] == "scheduled reboot"
    scene.wait(HOUR + 120)
    assert events_of(scene, one)[0]["Description"] == "[Completed] scheduled reboot"
    with pytest.raises(ApiError, match="is not available"):
        scene.ec2("ModifyInstanceEventStartTime", NotBefore=later, **whom)


def test_a_retirement_cannot_be_moved() -> None:
    scene = Scene()
    (one,) = scene.run()
    announce(scene)
    (event,) = events_of(scene, one)
    later = datetime.fromtimestamp(scene.time + 10 * HOUR, UTC)
    with pytest.raises(ApiError, match="can't be rescheduled"):
        scene.ec2(
            "ModifyInstanceEventStartTime",
            InstanceId=one,
            InstanceEventId=event["InstanceEventId"],
            NotBefore=later,
        )


def test_an_instance_that_does_not_run_is_not_rebooted() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.ec2("StopInstances", InstanceIds=[one])
    with pytest.raises(ApiError, match="not in a state from which it can be rebooted"):
        scene.ec2("RebootInstances", InstanceIds=[one])


# ---- by a scenario ---------------------------------------------------------------------------------------------------


def played(*shocks: Shock, seconds: float, seed: int = 7) -> Scene:
    """A group of four, and so many seconds of the scenario."""
    scene = Scene(seed=seed)
    scene.group(desired=4)
    drills = Drills(region=REGION, start_time=START)
    for shock in shocks:
        drills.add(shock)
    scene.time = START + seconds
    drills.advance(scene.cloud, scene.time)
    return scene


PLAN = ScheduledMaintenance(at_seconds=600, code="instance-stop", group="web", count=2, notice_seconds=600)


def test_a_scenario_announces_maintenance_at_its_moment() -> None:
    scene = played(PLAN, seconds=1100)
    assert [event["time"] for event in scene.events(HEALTH)] == ["2026-05-28T20:36:40Z"]
    scene = played(PLAN, seconds=1500)
    assert [detail["statusCode"] for detail in told(scene)] == ["upcoming", "open", "closed"]


def test_a_scenario_takes_maintenance_back_at_its_until_or_by_a_shock_of_its_own() -> None:
    until = ScheduledMaintenance(at_seconds=600, until_seconds=900, code="instance-stop", notice_seconds=600)
    for shocks in ((until,), (PLAN, MaintenanceWithdrawal(at_seconds=900, group="w*"))):
        scene = played(*shocks, seconds=1500)
        assert [detail["statusCode"] for detail in told(scene)] == ["upcoming", "closed"]
        assert len(scene.members()) == 4


def test_another_regions_maintenance_is_none_of_ours() -> None:
    abroad = ScheduledMaintenance(at_seconds=600, code="instance-stop", region="eu-*")
    assert told(played(abroad, seconds=1500)) == []


def test_the_same_seed_chooses_the_same_instances() -> None:
    first, again = (played(PLAN, seconds=1500).events() for _ in range(2))
    assert first == again
