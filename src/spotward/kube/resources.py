"""What the API calls things, and where it keeps them.

A verb is said in the words of RBAC (get, list, watch, create, patch, delete), because those are the words in which a
cluster's owner grants it: the calls that were made can be laid beside `deploy/clusterrole.yaml` line by line.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
"""RBAC's verb → HTTP's. `update` is missing on purpose: we never write a whole object that others write as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One kind of thing."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    """As in a URL: `pods`."""
    kind: str

    @property
    def api_version(self) -> str:
        """`policy/v1`, as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: dict[str, str] | None = None,
    ) -> str:
        """Where one of them is, or all of them; with the query behind it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts += [self.plural, *(quote(part, safe="") for part in (name, subresource) if part)]
        path = "/".join(parts)
        return f"{path}?{urlencode(query)}" if query else path


NODES = Resource(group="", version="v1", plural="nodes", kind="Node")
PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
CLAIMS = Resource(group="", version="v1", plural="persistentvolumeclaims", kind="PersistentVolumeClaim")
BUDGETS = Resource(group="policy", version="v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget")
ATTACHMENTS = Resource(group="storage.k8s.io", version="v1", plural="volumeattachments", kind="VolumeAttachment")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
STATEFUL_SETS = Resource(group="apps", version="v1", plural="statefulsets", kind="StatefulSet")
DAEMON_SETS = Resource(group="apps", version="v1", plural="daemonsets", kind="DaemonSet")
AUTOSCALERS = Resource(
    group="autoscaling", version="v2", plural="horizontalpodautoscalers", kind="HorizontalPodAutoscaler"
)
TARGET_GROUP_BINDINGS = Resource(
    group="elbv2.k8s.aws", version="v1beta1", plural="targetgroupbindings", kind="TargetGroupBinding"
)
"""Of the AWS Load Balancer Controller: which target group it fills, and with what."""
EVENTS = Resource(group="events.k8s.io", version="v1", plural="events", kind="Event")
