"""The documents of a metadata service, by their paths, as AWS's user guide lists them ("Instance metadata categories").

What is absent is absent: a machine of which nothing is said has no `spot/` at all, and an empty list of scheduled
events. What we cannot know is made up so that it can be seen to be (documentation addresses, ids of zeros).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from spotward.emulator.imds.metadata import Host, Metadata, Standing
from spotward.events.eventbridge import partition_of
from spotward.events.imds import (
    IDENTITY,
    INTERRUPTION,
    MAINTENANCE,
    REBALANCE,
    TARGET_STATE,
    render_interruption,
    render_machine,
    render_maintenance,
    render_rebalance,
)
from spotward.events.reading import iso

TERMINATION_TIME = "spot/termination-time"
"""The older form of `spot/instance-action`: only the time, and only for termination."""

HISTORY = "events/maintenance/history"

CREDENTIALS_SECONDS = 6 * 3600.0

SIGNATURES = ("pkcs7", "signature", "rsa2048")
"""No fake can sign as AWS does: these have the form of signatures, and verify as nobody's."""

META, DYNAMIC = "meta-data/", "dynamic/"

_ZEROS = "0" * 17


def documents(metadata: Metadata, *, time: float) -> Mapping[str, str]:
    """Path below the version (`latest/`) → text."""
    host, standing = metadata.host, metadata.standing
    identity = render_machine(host.machine, pending_time=host.launch_time)
    found = {
        **{META + path: text for path, text in _of_notices(standing).items()},
        **{META + path: text for path, text in _of_itself(host).items()},
        **{META + path: text for path, text in _of_its_role(host, time).items()},
        **{META + path: text for path, text in _of_its_network(host).items()},
        DYNAMIC + IDENTITY: identity,
        # No fake can sign as AWS does: these have the form of signatures, and verify as nobody's.
        **{
            f"{DYNAMIC}instance-identity/{name}": _unsigned(name, identity)
            for name in ("pkcs7", "signature", "rsa2048")
        },
        f"{DYNAMIC}fws/instance-monitoring": "disabled",
    }
    if host.user_data:
        found["user-data"] = host.user_data
    return found


def listing(found: Mapping[str, str], path: str) -> str | None:
    """The names below a path, one a line, those of directories with a slash; None when there is nothing."""
    start = f"{path.strip('/')}/" if path.strip("/") else ""
    names = {rest.partition("/")[0] + ("/" if "/" in rest else "") for rest in _below(found, start)}
    return "\n".join(sorted(names)) or None


def _below(found: Mapping[str, str], start: str) -> list[str]:
    return [path.removeprefix(start) for path in found if path.startswith(start)]


def _of_notices(standing: Standing) -> Mapping[str, str]:
    found = {
        MAINTENANCE: render_maintenance(standing.maintenance),
        HISTORY: render_maintenance([each for each in standing.maintenance if each[1] != "active"]),
        "instance-action": "none",  # about reboots for bundling, and so never about Spot
    }
    if standing.action is not None:
        found[INTERRUPTION] = render_interruption(standing.action, standing.deadline_time)
    if standing.action == "terminate" and standing.deadline_time is not None:
        found[TERMINATION_TIME] = iso(int(standing.deadline_time))
    if standing.advice_time is not None:
        found[REBALANCE] = render_rebalance(standing.advice_time)
    if standing.target_state is not None:
        found[TARGET_STATE] = standing.target_state
    return found


def _of_itself(host: Host) -> Mapping[str, str]:
    machine = host.machine
    return {
        "ami-id": machine.image_id,
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "block-device-mapping/ami": "/dev/xvda",
        "block-device-mapping/ebs0": "sdb",
        "block-device-mapping/ephemeral0": "sdb",
        "block-device-mapping/root": "/dev/xvda",
        "block-device-mapping/swap": "sdcs",
        "elastic-inference/associations": f"eia-{_ZEROS}",
        "hostname": host.local_hostname,
        "instance-id": machine.instance_id,
        "instance-life-cycle": host.life_cycle,
        "instance-type": machine.instance_type,
        "kernel-id": "aki-00000000",
        "placement/availability-zone": machine.az,
        "placement/availability-zone-id": f"drill-az{ord(machine.az[-1:] or 'a') - 96}",
        "placement/group-name": "drill",
        "placement/host-id": f"h-{_ZEROS}",
        "placement/partition-number": "1",
        "placement/region": machine.region,
        "product-codes": "0" * 25,
        "profile": "default-hvm",
        "public-keys/0/openssh-key": "ssh-ed25519 AAAA drill",
        "ramdisk-id": "ari-00000000",
        "reservation-id": f"r-{_ZEROS}",
        "security-groups": "default",
        "services/domain": "amazonaws.com.cn" if partition_of(machine.region) == "aws-cn" else "amazonaws.com",
        "services/partition": partition_of(machine.region),
        "system": "nitro",
        **{f"tags/instance/{key}": value for key, value in host.tags.items()},
    }


def _of_its_role(host: Host, time: float) -> Mapping[str, str]:
    updated, partition = iso(int(host.launch_time)), partition_of(host.machine.region)
    credentials = {
        "Code": "Success",
        "LastUpdated": updated,
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIADRILL00000000000",
        "SecretAccessKey": "drill",
        "Token": "drill",
        "Expiration": iso(int(time + CREDENTIALS_SECONDS)),
    }
    info = {
        "Code": "Success",
        "LastUpdated": updated,
        "InstanceProfileArn": f"arn:{partition}:iam::{host.machine.account}:instance-profile/{host.profile}",
        "InstanceProfileId": "AIPADRILL00000000000",
    }
    return {
        "iam/info": json.dumps(info, indent=2),
        f"iam/security-credentials/{host.profile}": json.dumps(credentials, indent=2),
    }


def _of_its_network(host: Host) -> Mapping[str, str]:
    address = host.machine.private_ip
    network = ".".join(address.split(".")[:2])
    interface = {
        "device-number": "0",
        "interface-id": f"eni-{_ZEROS}",
        f"ipv4-associations/{host.public_ip}": address,
        "ipv6s": "2001:db8:8:4::2",
        "local-hostname": host.local_hostname,
        "local-ipv4s": address,
        "mac": host.mac,
        "network-card-index": "0",
        "owner-id": host.machine.account,
        "public-hostname": host.public_hostname,
        "public-ipv4s": host.public_ip,
        "security-group-ids": f"sg-{_ZEROS}",
        "security-groups": "default",
        "subnet-id": f"subnet-{_ZEROS}",
        "subnet-ipv4-cidr-block": f"{network}.0.0/20",
        "subnet-ipv6-cidr-blocks": "2001:db8:8:4::/64",
        "vpc-id": f"vpc-{_ZEROS}",
        "vpc-ipv4-cidr-block": f"{network}.0.0/16",
        "vpc-ipv4-cidr-blocks": f"{network}.0.0/16",
        "vpc-ipv6-cidr-blocks": "2001:db8:8::/56",
    }
    return {
        "local-hostname": host.local_hostname,
        "local-ipv4": address,
        "mac": host.mac,
        "public-hostname": host.public_hostname,
        "public-ipv4": host.public_ip,
        **{f"network/interfaces/macs/{host.mac}/{name}": text for name, text in interface.items()},
    }


def _unsigned(name: str, identity: str) -> str:
    digest = b"".join(hashlib.sha512(f"{name} {part} {identity}".encode()).digest() for part in range(2))
    return base64.b64encode(digest).decode()
