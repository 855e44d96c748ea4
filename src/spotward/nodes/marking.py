"""What a node gets that nothing new shall come to: the cordon, our taint, and the label for load balancers.

Where it is asked for, the marks of another tool as well (`nth_marks`).
"""

from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL
from spotward.model.incident import Incident
from spotward.model.node_action import CordonNode
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.nth_marks import PREFIX, nth_labels, nth_taints
from spotward.nodes.scene import Scene
from spotward.nodes.tiers import our_taint

LABEL_VALUE = "spotward"


def marking(incident: Incident, errand: Errand, scene: Scene) -> CordonNode:
    """Cordon it; with `MARK` also keep load balancers away. Asked again it changes nothing, and tells what is ours."""
    policy = scene.policy
    label = ((EXCLUDE_FROM_LOAD_BALANCERS_LABEL, PREFIX if policy.nth_marks else LABEL_VALUE),)
    others = nth_taints(incident, policy) if policy.nth_marks else ()
    their_labels = nth_labels(incident) if policy.nth_marks else ()
    return CordonNode(
        instance_id=incident.instance_id,
        key=key_of(incident, errand),
        node=incident.node,
        uid=incident.node_uid,
        taints=((our_taint(incident, policy),) if policy.taint else ()) + others,
        labels=(label if errand is Errand.MARK and policy.exclude_from_load_balancers else ()) + their_labels,
    )
