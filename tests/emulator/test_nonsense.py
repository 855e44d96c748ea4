"""Parameters that the model allows and no sane client sends: refused perhaps, but never a fault of the region."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotward.emulator.dialects import dialect
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.site import Site
from spotward.emulator.stage import Stage, set_stage
from spotward.sim.errors import ApiError
from tests.emulator.shapes import values

CLOUD = EmulatorSettings(speed=240.0, throttling=False)


@pytest.fixture(scope="module")
def stage(cloud: Emulator) -> Stage:
    return set_stage(cloud.url)


def sane(value: Any, names: dict[str, Any], key: str = "") -> Any:
    """The same parameters with names of things that exist, so that what lies behind the first refusal is reached."""
    if key in names:
        return names[key]
    if isinstance(value, dict):
        return {name: sane(part, names, name) for name, part in value.items()}
    return [sane(part, names, key) for part in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_virtual_region_answers_or_refuses_whatever_the_model_allows(
    cloud: Emulator, stage: Stage, data: st.DataObject
) -> None:
    site = cloud.sites.site("us-east-1")
    name = data.draw(st.sampled_from(sorted(site.cloud.operations - {"autoscaling.DeleteAutoScalingGroup"})))
    service, _, operation = name.partition(".")
    spoken: Any = dialect(service)
    shape = spoken.model.operation_model(operation).input_shape
    params = data.draw(values(shape)) if shape is not None else {}
    if data.draw(st.booleans()) or operation in {"SetDesiredCapacity", "UpdateAutoScalingGroup"}:
        [reservation] = site.call("ec2.DescribeInstances", {"MaxResults": 5})["Reservations"][:1]
        instance = reservation["Instances"][0]["InstanceId"]
        volume = site.call("ec2.DescribeVolumes", {"MaxResults": 5})["Volumes"][0]["VolumeId"]
        names = {
            "AutoScalingGroupName": "web",
            "AutoScalingGroupNames": ["web", "batch"],
            "ImageId": stage.network.image_id,
            "InstanceId": instance,
            "InstanceIds": [instance],
            "InstanceType": "m5.large",
            "SubnetId": stage.network.subnet_ids[0],
            "TargetGroupArn": stage.target_groups[0],
            "VPCZoneIdentifier": ",".join(stage.network.subnet_ids),
            "VolumeId": volume,
            "VolumeIds": [volume],
        }
        params = sane(params, names)
    if not site.owns(name, params):
        return
    assert status(site, name, params) in {200, *range(400, 504)}


def status(site: Site, name: str, params: dict[str, Any]) -> int:
    """Of the answer or the refusal."""
    service, _, operation = name.partition(".")
    try:
        return dialect(service).answer(operation, site.call(name, params), "r").status
    except ApiError as refusal:
        return refusal.status
