"""What it takes to look at 500 groups of 20: calls, with answers as large as AWS's. `make bench` has the seconds."""

import asyncio

import pytest

from spotward.aws.observe import Observer
from spotward.aws.session import Aws
from spotward.model.action import ObserveRegion
from spotward.model.event import RegionObserved
from spotward.model.world import World
from tests.aws.conftest import REGION
from tests.aws.oracle import Oracle
from tests.aws.stage import NOW
from tests.hand_clock import HandClock

GROUPS, SIZE = 500, 20

MEMBER = (
    "<member><InstanceId>{id}</InstanceId><InstanceType>m5.large</InstanceType>"
    "<AvailabilityZone>us-east-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>"
    "<HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn><LaunchTemplate>"
    "<LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName><Version>1</Version>"
    "</LaunchTemplate></member>"
)
GROUP = (
    "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><AutoScalingGroupARN>arn:aws:autoscaling:us-east-1:"
    "123456789012:autoScalingGroup:0f3a:autoScalingGroupName/{name}</AutoScalingGroupARN><LaunchTemplate>"
    "<LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName><Version>$Latest</Version>"
    "</LaunchTemplate><MinSize>1</MinSize><MaxSize>40</MaxSize><DesiredCapacity>20</DesiredCapacity>"
    "<DefaultCooldown>300</DefaultCooldown><AvailabilityZones><member>us-east-1a</member></AvailabilityZones>"
    "<HealthCheckType>EC2</HealthCheckType><HealthCheckGracePeriod>300</HealthCheckGracePeriod>"
    "<Instances>{members}</Instances><CreatedTime>2026-11-22T15:00:00.000Z</CreatedTime>"
    "<VPCZoneIdentifier>subnet-1</VPCZoneIdentifier><Tags><member><ResourceId>{name}</ResourceId>"
    "<ResourceType>auto-scaling-group</ResourceType><Key>spotward:enabled</Key><Value>true</Value>"
    "<PropagateAtLaunch>true</PropagateAtLaunch></member></Tags></member>"
)
INTERFACE = (
    "<item><networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>"
    "<description>Primary</description><ownerId>1</ownerId><status>in-use</status><macAddress>1b:2b:3c:4d:5e:6f"
    "</macAddress><privateIpAddress>10.0.0.1</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item>"
    "<groupId>sg-1</groupId><groupName>web</groupName></item></groupSet><attachment><attachmentId>eni-attach-1"
    "</attachmentId><deviceIndex>0</deviceIndex><status>attached</status><attachTime>2026-11-22T15:00:00.000Z"
    "</attachTime><deleteOnTermination>true</deleteOnTermination></attachment><privateIpAddressesSet><item>"
    "<privateIpAddress>10.0.0.1</privateIpAddress><primary>true</primary></item></privateIpAddressesSet></item>"
)
INSTANCE = (
    "<item><reservationId>r-1</reservationId><ownerId>1</ownerId><groupSet/><instancesSet><item>"
    "<instanceId>{id}</instanceId><imageId>ami-12c6146b</imageId><instanceState><code>16</code><name>running</name>"
    "</instanceState><privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName/><reason/><keyName>k</keyName>"
    "<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>m5.large</instanceType>"
    "<launchTime>2026-11-22T15:00:00.000Z</launchTime><placement><availabilityZone>us-east-1a</availabilityZone>"
    "<groupName/><tenancy>default</tenancy></placement><monitoring><state>enabled</state></monitoring>"
    "<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.1</privateIpAddress>"
    "<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item>"
    "</groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
    "<rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs>"
    "<volumeId>vol-1</volumeId><status>attached</status><attachTime>2026-11-22T15:00:00.000Z</attachTime>"
    "<deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>"
    "<virtualizationType>hvm</virtualizationType><clientToken>x</clientToken><tagSet><item>"
    "<key>aws:autoscaling:groupName</key><value>{name}</value></item><item><key>Name</key><value>web</value></item>"
    "<item><key>team</key><value>a</value></item></tagSet><hypervisor>xen</hypervisor><networkInterfaceSet>"
    + INTERFACE
    + "</networkInterfaceSet><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><metadataOptions>"
    "<state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit>"
    "<httpEndpoint>enabled</httpEndpoint></metadataOptions><platformDetails>Linux/UNIX</platformDetails>"
    "<usageOperation>RunInstances</usageOperation></item></instancesSet></item>"
)


def instance_id(group: int, number: int) -> str:
    return f"i-{group * SIZE + number:017x}"


def groups_page(start: int, *, more: bool) -> bytes:
    every = "".join(
        GROUP.format(name=f"g-{g}", members="".join(MEMBER.format(id=instance_id(g, n)) for n in range(SIZE)))
        for g in range(start, start + 100)
    )
    token = f"<NextToken>{start + 100}</NextToken>" if more else ""
    inner = f"<AutoScalingGroups>{every}</AutoScalingGroups>{token}"
    return f"<R><DescribeAutoScalingGroupsResult>{inner}</DescribeAutoScalingGroupsResult></R>".encode()


def instances_page(names: list[str], start: int) -> bytes:
    """A thousand instances of the groups asked for, from the `start`-th on."""
    every = [(name, instance_id(int(name.removeprefix("g-")), n)) for name in names for n in range(SIZE)]
    items = "".join(INSTANCE.format(id=each, name=name) for name, each in every[start : start + 1000])
    token = f"<nextToken>{start + 1000}</nextToken>" if start + 1000 < len(every) else ""
    return f"<R><reservationSet>{items}</reservationSet>{token}</R>".encode()


@pytest.mark.slow
def test_ten_thousand_instances_are_seen_with_a_call_for_each_page(oracle: Oracle, oracle_aws: Aws) -> None:
    chunks = [[f"g-{g}" for g in range(start, min(start + 200, GROUPS))] for start in range(0, GROUPS, 200)]
    pages = {start: groups_page(start, more=start + 100 < GROUPS) for start in range(0, GROUPS, 100)}
    instances = {(c[0], s): instances_page(c, s) for c in chunks for s in range(0, len(c) * SIZE, 1000)}
    oracle.replies["DescribeAutoScalingGroups"] = lambda sent: pages[int(sent.get("NextToken", 0))]
    oracle.replies["DescribeInstances"] = lambda sent: instances[
        (sent["Filter.1.Value.1"], int(sent.get("NextToken", 0)))
    ]
    world = World()
    observer = Observer(oracle_aws, HandClock(NOW), world=lambda: world, in_scope=lambda _: True)

    def look() -> RegionObserved:
        answer = asyncio.run(observer.observe(ObserveRegion(region=REGION), 1))
        assert isinstance(answer, RegionObserved)
        return answer

    seen = look()
    assert (len(seen.groups), len(seen.instances)) == (GROUPS, GROUPS * SIZE)
    assert dict(oracle_aws.counter.counts) == {"autoscaling.DescribeAutoScalingGroups": 5, "ec2.DescribeInstances": 10}
    world = world.after(seen)
    again = look()
    assert (again.groups, again.instances) == ((), ())
    assert oracle_aws.counter.counts["autoscaling.DescribeAutoScalingGroups"] == 10
    assert oracle_aws.counter.counts["ec2.DescribeInstances"] == 10
