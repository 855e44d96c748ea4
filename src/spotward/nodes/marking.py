"""What a node gets that nothing new shall come to: the cordon, our taint, and the label for load balancers."""

from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL
from spotward.model.incident import Incident
from spotward.model.node_action import CordonNode
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.scene import Scene
from spotward.nodes.tiers import our_taint

LABEL_VALUE = "spotward"


def marking(incident: Incident, errand: Errand, scene: Scene) -> CordonNode:
    """Cordon it; with `MARK` also keep load balancers away. Asked again it changes nothing, and tells what is ours."""
    policy = scene.policy
    label = ((EXCLUDE_FROM_LOAD_BALANCERS_LABEL, LABEL_VALUE),)
    return CordonNode(
        instance_id=incident.instance_id,
        key=key_of(incident, errand),
        node=incident.node,
        uid=incident.node_uid,
        taints=(our_taint(incident, policy),) if policy.taint else (),
        labels=label if errand is Errand.MARK and policy.exclude_from_load_balancers else (),
    )
