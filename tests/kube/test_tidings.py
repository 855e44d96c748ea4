"""Kubernetes Events as the API wants them."""

from spotward.kube.tidings import event_of
from spotward.model.node_action import Tiding

TIDING = Tiding(about="Node", name="n-1", uid="u-1", reason="PreDrain", text="n-1 is cordoned")


def test_the_facts_of_the_machine_are_its_annotations_and_no_part_of_its_name() -> None:
    """An order that is repeated after a crash, when more is known of the machine, still meets its own Event."""
    first, again = (
        event_of(TIDING, key="k", time=0.0, instance="pod-1", annotations=facts)
        for facts in ({}, {"instance-id": "i-1", "team": "a"})
    )
    assert again["metadata"]["annotations"] == {"instance-id": "i-1", "team": "a"}
    assert first["metadata"]["name"] == again["metadata"]["name"]
