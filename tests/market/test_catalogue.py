"""Which type can stand in for which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.market.catalogue import misfit, permitted, remark
from spotward.model.cloud import InstanceType
from tests.market.shelf import kind

M5 = kind("m5.large")


def why(original: InstanceType, candidate: InstanceType, *, burstable_for_fixed: bool = False) -> str | None:
    return misfit(
        original,
        candidate,
        architecture="x86_64",
        virtualization="hvm",
        burstable_for_fixed=burstable_for_fixed,
    )


def test_a_type_stands_in_for_itself() -> None:
    assert why(M5, M5) is None


def test_a_larger_type_stands_in() -> None:
    assert why(M5, kind("r5.xlarge", vcpu=4, memory_mib=32768)) is None


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (kind("m5.medium", vcpu=1), "has 1 vCPU and not 2"),
        (kind("c5.large", memory_mib=4096), "has 4,096 MiB of memory and not 8,192"),
        (kind("m6g.large", architectures=frozenset({"arm64"})), "runs arm64 and not x86_64"),
        (kind("m1.old", virtualizations=frozenset({"paravirtual"})), "virtualizes by paravirtual and not hvm"),
        (kind("t3.large", burstable=True), "is burstable, which is not equal to fixed performance"),
        (kind("m5.metal", vcpu=96, memory_mib=393216, bare_metal=True), "is bare metal"),
    ],
)
def test_what_lacks_something_is_a_misfit_and_says_what(candidate: InstanceType, words: str) -> None:
    assert why(M5, candidate) == words


@pytest.mark.parametrize(
    ("has", "had", "words"),
    [
        ({"gpus": 1}, {"gpus": 4}, "has 1 GPUs and not 4"),
        ({"gpus": 4, "gpu_memory_mib": 4}, {"gpus": 4, "gpu_memory_mib": 8}, "has 4 MiB of GPU memory and not 8"),
        ({}, {"accelerators": 1}, "has 0 accelerators and not 1"),
        (
            {"local_disks": 1, "local_disk_gb": 900},
            {"local_disks": 2, "local_disk_gb": 800},
            "has 1 local disks and not 2",
        ),
        (
            {"local_disks": 1, "local_disk_gb": 75},
            {"local_disks": 1, "local_disk_gb": 150},
            "has 75 GB of local disk and not 150",
        ),
        (
            {"local_disks": 4, "local_disk_gb": 1000},
            {"local_disks": 1, "local_disk_gb": 900},
            "has 250 GB on each local disk and not 900",
        ),
        (
            {"local_disks": 1, "local_disk_gb": 900},
            {"local_disks": 1, "local_disk_gb": 900, "local_ssd": True},
            "has local disks that are not SSD",
        ),
    ],
)
def test_accelerators_and_local_disks_are_compared(has: dict[str, int], had: dict[str, int], words: str) -> None:
    assert why(kind("old.large", **had), kind("new.large", **has)) == words


def test_burstable_stands_in_for_fixed_only_where_it_is_allowed() -> None:
    assert why(M5, kind("t3.large", burstable=True), burstable_for_fixed=True) is None


def test_a_flex_type_stands_between_burstable_and_fixed() -> None:
    burstable, flex = kind("t3.large", burstable=True), kind("m7i-flex.large", flex=True)
    assert why(M5, flex) == "is a flex type, which promises only a share of fixed performance"
    assert why(M5, flex, burstable_for_fixed=True) is None
    assert why(flex, burstable) == "is burstable, which is not equal to fixed performance"
    assert why(burstable, flex) is None
    assert why(flex, flex) is None


def test_fixed_stands_in_for_burstable() -> None:
    assert why(kind("t3.large", burstable=True), M5) is None


def test_bare_metal_is_replaced_by_bare_metal_alone() -> None:
    metal = kind("m5.metal", vcpu=96, memory_mib=393216, bare_metal=True)
    assert why(metal, kind("m5.24xlarge", vcpu=96, memory_mib=393216)) == "is not bare metal"


@pytest.mark.parametrize(("field", "driver"), [("nvme_required", "NVMe"), ("ena_required", "ENA")])
def test_an_image_that_never_needed_a_driver_is_not_put_where_it_needs_one(field: str, driver: str) -> None:
    xen = kind("m4.large", nvme_required=False, ena_required=False)
    candidate = kind("m5.large", **{"nvme_required": False, "ena_required": False, field: True})
    assert why(xen, candidate) == f"needs an {driver} driver in the image, which m4.large does not"
    assert why(candidate, xen) is None


def test_fewer_network_interfaces_are_remarked_but_fit() -> None:
    candidate = kind("g4dn.large", network_interfaces_max=2)
    assert why(M5, candidate) is None
    assert remark(M5, candidate) == "fewer network interfaces (2, not 3)"
    assert remark(candidate, M5) == ""


@pytest.mark.parametrize(
    ("allowed", "denied", "may"),
    [
        ((), (), True),
        (("m5.*",), (), True),
        (("c5.*", "r5.*"), (), False),
        ((), ("m?.large",), False),
        (("m5.*",), ("m5.large",), False),
        (("current",), (), True),
        ((), ("current",), False),
    ],
)
def test_the_operators_lists_are_globs(allowed: tuple[str, ...], denied: tuple[str, ...], may: bool) -> None:
    assert permitted("m5.large", "m5.large", allowed=allowed, denied=denied) is may


def test_current_means_the_type_that_is_replaced_and_no_other() -> None:
    assert not permitted("m5.large", "c5.large", allowed=("current",), denied=())


NUMBERS = ("vcpu", "memory_mib", "gpus", "gpu_memory_mib", "accelerators", "local_disks", "local_disk_gb")
small = st.integers(min_value=0, max_value=3)
kinds = st.builds(
    InstanceType,
    name=st.sampled_from(["a.large", "b.large", "c.large"]),
    vcpu=small,
    memory_mib=small,
    architectures=st.frozensets(st.sampled_from(["x86_64", "arm64", "i386"]), min_size=1),
    virtualizations=st.frozensets(st.sampled_from(["hvm", "paravirtual"]), min_size=1),
    gpus=small,
    gpu_memory_mib=small,
    accelerators=small,
    local_disk_gb=small,
    local_disks=small,
    local_ssd=st.booleans(),
    burstable=st.booleans(),
    flex=st.booleans(),
    bare_metal=st.booleans(),
    nvme_required=st.booleans(),
    ena_required=st.booleans(),
)


@given(kinds, kinds)
def test_whatever_fits_has_no_less_of_anything(original: InstanceType, candidate: InstanceType) -> None:
    if original.name != candidate.name and why(original, candidate) is None:
        assert all(getattr(candidate, each) >= getattr(original, each) for each in NUMBERS)
        assert "x86_64" in candidate.architectures
        assert original.local_ssd <= candidate.local_ssd
        assert candidate.nvme_required <= original.nvme_required
        assert candidate.ena_required <= original.ena_required
        assert candidate.bare_metal is original.bare_metal
        assert candidate.burstable <= original.burstable
        assert candidate.flex <= (original.flex or original.burstable)


@given(kinds, kinds, kinds)
def test_what_stands_in_for_a_stand_in_stands_in_for_the_original(
    first: InstanceType, second: InstanceType, third: InstanceType
) -> None:
    names_differ = len({first.name, second.name, third.name}) == 3
    if names_differ and why(first, second) is None and why(second, third) is None:
        assert why(first, third) is None
