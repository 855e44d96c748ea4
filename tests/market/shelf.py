"""Types and questions that the tests of this room use."""

from typing import Any

from spotward.model.action import RecommendPools
from spotward.model.cloud import InstanceType, Pool

X86 = frozenset({"x86_64"})
HVM = frozenset({"hvm"})


def kind(name: str, vcpu: int = 2, memory_mib: int = 8192, **rest: Any) -> InstanceType:
    """A Nitro type of 2 vCPU and 8 GiB, unless told otherwise."""
    fields: dict[str, Any] = {
        "architectures": X86,
        "virtualizations": HVM,
        "nvme_required": True,
        "ena_required": True,
        "network_interfaces_max": 3,
        **rest,
    }
    return InstanceType(name=name, vcpu=vcpu, memory_mib=memory_mib, **fields)


def question(instance_type: str = "m5.large", **rest: Any) -> RecommendPools:
    """Who can stand in for an m5.large in three zones?"""
    fields: dict[str, Any] = {
        "region": "us-east-1",
        "group": "web",
        "product": "Linux/UNIX",
        "architecture": "x86_64",
        "virtualization": "hvm",
        "azs": ("us-east-1a", "us-east-1b", "us-east-1c"),
        **rest,
    }
    return RecommendPools(instance_type=instance_type, **fields)


def pool(text: str) -> Pool:
    """`m5.large/a` is that type in us-east-1a."""
    name, zone = text.split("/")
    return Pool(instance_type=name, az=f"us-east-1{zone}")
