"""What on-demand capacity costs in the virtual cloud."""

from __future__ import annotations


def on_demand_usd_per_hour(
    instance_type: str,
    vcpu: int,
    memory_mib: int,
    gpus: int,
    local_storage_gb: int,
    region: str,
    product: str = "Linux/UNIX",
) -> float:
    """The list price of one instance, in the region's currency (see `currency`) per hour."""
    raise NotImplementedError


def currency(region: str) -> str:
    """`CNY` in AWS's two Chinese regions, `USD` everywhere else."""
    return "CNY" if region.startswith("cn-") else "USD"
