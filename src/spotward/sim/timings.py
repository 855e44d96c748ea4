"""How long things take in the virtual region, in virtual seconds.

The figures are what an ordinary account sees on AWS, rounded. A test or the emulator may shorten them, but the emulator
rather speeds the clock up, so that the proportions stay true.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Every duration is in virtual seconds and is a typical value; `jitter` spreads it per instance."""

    boot_seconds: float = 20.0
    """From the launch call to `running`. EC2's own figure for Linux on Nitro is 10 to 40 s."""

    jitter: float = 0.25
    """Each boot and shutdown takes its typical time times 1 ± this, rolled from the seed. 0 makes all alike."""

    in_service_seconds: float = 10.0
    """From `running` to InService for an instance that the group launched itself."""

    attach_seconds: float = 8.0
    """From AttachInstances (or ExitStandby) to InService."""

    detach_seconds: float = 5.0
    """From DetachInstances or EnterStandby to the end of the move, load balancers' draining aside."""

    shutdown_seconds: float = 30.0
    """From `shutting-down` to `terminated`, and from `stopping` to `stopped`."""

    reboot_seconds: float = 60.0
    """From a reboot until the machine is up again; the application needs `application_start_seconds` more."""

    volume_create_seconds: float = 2.0
    """From CreateVolume to `available`."""

    volume_attach_seconds: float = 4.0
    """From AttachVolume to `attached`."""

    volume_detach_seconds: float = 6.0
    """From DetachVolume to `available`, when nothing on the machine uses the volume any more."""

    terminated_visible_seconds: float = 3600.0
    """How long DescribeInstances still shows a terminated instance. AWS: about an hour."""

    application_start_seconds: float = 20.0
    """From `running` until the application answers the load balancer's health checks."""

    requests_in_flight_seconds: float = 15.0
    """How long a target has requests in flight when it drains, if its group's deregistration delay gives it so long."""

    group_reaction_seconds: float = 5.0
    """From a change of a group (desired capacity, a member lost) until the group acts on it."""

    health_check_seconds: float = 30.0
    """From the moment an instance fails (terminated, stopped, unhealthy target) until its group has noticed."""

    launch_retry_seconds: float = 60.0
    """How long a group waits after a launch that failed in every zone; it doubles up to `launch_retry_seconds_max`."""

    launch_retry_seconds_max: float = 600.0
    """The longest pause between two failed launches of one group."""

    zone_rebalance_seconds: float = 300.0
    """How long a group's zones must have been uneven before AZRebalance acts."""

    interruption_warning_seconds: float = 120.0
    """From the Spot interruption warning until EC2 takes the instance. AWS promises two minutes."""

    rebalance_recommendation_spread_seconds: float = 60.0
    """A pool at risk tells its instances one by one within this time, in an order rolled from the seed."""
