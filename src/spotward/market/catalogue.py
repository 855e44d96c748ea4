"""Which instance type can stand in for which: by what it is made of, never by its name.

A replacement must run whatever ran before: on the same machine architecture and virtualization, with at least as many
processors, as much memory, as many GPUs and accelerators, and local disks that are no fewer, no smaller and no slower
in kind. Its drivers must be there too: an image that never met NVMe volumes or the ENA network card may not boot where
there is nothing else, so such types are used only in place of such types.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from spotward.model.cloud import InstanceType

CURRENT = "current"
"""In a list of types: the type that is to be replaced. (AutoSpotting's word.)"""


def misfit(
    original: InstanceType,
    candidate: InstanceType,
    *,
    architecture: str,
    virtualization: str,
    burstable_for_fixed: bool = False,
) -> str | None:
    """Why `candidate` cannot stand in for `original`, in words that follow its name; None if it can.

    architecture, virtualization: of the image that runs (`x86_64`, `hvm`), as its instance tells them.
    """
    if architecture not in candidate.architectures:
        return f"runs {_any(candidate.architectures)} and not {architecture}"
    if virtualization not in candidate.virtualizations:
        return f"virtualizes by {_any(candidate.virtualizations)} and not {virtualization}"
    if candidate.name == original.name:
        return None
    if candidate.bare_metal is not original.bare_metal:
        return "is bare metal" if candidate.bare_metal else "is not bare metal"
    if candidate.burstable and not original.burstable and not burstable_for_fixed:
        return "is burstable, which is not equal to fixed performance"
    if candidate.flex and not (original.flex or original.burstable or burstable_for_fixed):
        return "is a flex type, which promises only a share of fixed performance"
    return next(_lacks(original, candidate), None)


def _lacks(original: InstanceType, candidate: InstanceType) -> Iterator[str]:
    """All that the candidate has less of, or needs more of, most telling first."""
    yield from _less("vCPU", candidate.vcpu, original.vcpu)
    yield from _less("MiB of memory", candidate.memory_mib, original.memory_mib)
    yield from _less("GPUs", candidate.gpus, original.gpus)
    yield from _less("MiB of GPU memory", candidate.gpu_memory_mib, original.gpu_memory_mib)
    yield from _less("accelerators", candidate.accelerators, original.accelerators)
    yield from _less("local disks", candidate.local_disks, original.local_disks)
    yield from _less("GB of local disk", candidate.local_disk_gb, original.local_disk_gb)
    yield from _less("GB on each local disk", _disk_gb(candidate), _disk_gb(original))
    if original.local_ssd and not candidate.local_ssd:
        yield "has local disks that are not SSD"
    if candidate.nvme_required and not original.nvme_required:
        yield f"needs an NVMe driver in the image, which {original.name} does not"
    if candidate.ena_required and not original.ena_required:
        yield f"needs an ENA driver in the image, which {original.name} does not"


def remark(original: InstanceType, candidate: InstanceType) -> str:
    """What an operator should know of a type that fits; empty when there is nothing to say."""
    has, had = candidate.network_interfaces_max, original.network_interfaces_max
    return f"fewer network interfaces ({has}, not {had})" if has < had else ""


def permitted(name: str, original: str, *, allowed: tuple[str, ...], denied: tuple[str, ...]) -> bool:
    """May the operator's lists of globs have it? Empty `allowed` allows all; `denied` is looked at afterwards."""
    return (not allowed or _listed(name, original, allowed)) and not _listed(name, original, denied)


def _listed(name: str, original: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, original if glob == CURRENT else glob) for glob in globs)


def _less(what: str, has: int, wanted: int) -> Iterator[str]:
    if has < wanted:
        yield f"has {has:,} {what} and not {wanted:,}"


def _disk_gb(kind: InstanceType) -> int:
    """Size of one local disk; all local disks of a type are alike."""
    return kind.local_disk_gb // kind.local_disks if kind.local_disks else 0


def _any(names: frozenset[str]) -> str:
    return " or ".join(sorted(names)) or "nothing we know"
