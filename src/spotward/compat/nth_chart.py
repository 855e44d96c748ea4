"""The values of the Node Termination Handler's Helm chart that are no options: what is about its pods, and what becomes
of it.

Most of it describes pods that will be no more. It is carried over into whatever runs Spotward by hand, and is therefore
only named. What would make a difference to what is done is mapped or refused.
"""

from dataclasses import dataclass

from spotward.compat.option import Standing

SUPPORTED, MAPPED, REFUSED = Standing

ADDRESS_FILE = "/etc/spotward/webhook/webhookurl"
"""Where the converted configuration looks for the webhook's address: the chart's own key of the Secret, mounted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartValue:
    """One value, with all that is below it."""

    name: str
    children: tuple[str, ...] = ()
    """What may be below it; nothing is a matter of Kubernetes, or of its owner."""
    standing: Standing = MAPPED
    settings: tuple[tuple[str, object], ...] = ()
    """What it sets when it is not empty, false or 0."""
    note: str


POD = "about its own pods: give it to those of Spotward, if it still holds"
IMAGE = "Spotward has an image of its own"
RIGHTS = "Spotward's rights in the cluster are in deploy/clusterrole.yaml"
ROLE = "the role of AWS goes to the service account `spotward`; deploy/iam-policy.json says what it must allow"
SCRAPE = "point the monitor at Spotward's pods: `/metrics` of `web.port`, or of the agent's --bind-addr"
MONITOR = ("create", "namespace", "labels", "interval", "sampleLimit")

VALUES: tuple[ChartValue, ...] = (
    ChartValue(name="image", children=("repository", "tag", "pullPolicy", "pullSecrets"), note=IMAGE),
    *(ChartValue(name=name, note=POD) for name in ("nameOverride", "fullnameOverride", "customLabels")),
    ChartValue(name="serviceAccount", children=("create", "name", "annotations"), note=ROLE),
    ChartValue(name="rbac", children=("create", "pspEnabled"), note=RIGHTS),
    *(
        ChartValue(name=name, note=POD)
        for name in (
            "podLabels",
            "podAnnotations",
            "podSecurityContext",
            "securityContext",
            "terminationGracePeriodSeconds",
            "resources",
            "nodeSelector",
            "affinity",
            "tolerations",
            "topologySpreadConstraints",
            "priorityClassName",
            "strategy",
            "updateStrategy",
            "podDisruptionBudget",
            "daemonsetPriorityClassName",
            "daemonsetNodeSelector",
            "daemonsetAffinity",
            "daemonsetTolerations",
            "linuxPodLabels",
            "linuxPodAnnotations",
            "linuxNodeSelector",
            "linuxAffinity",
            "linuxTolerations",
            "linuxDnsPolicy",
            "linuxUpdateStrategy",
            "nodeSelectorTermsOs",
            "nodeSelectorTermsArch",
            "dnsPolicy",
            "dnsConfig",
        )
    ),
    ChartValue(name="probes", note="probe `/healthz` of `web.port`, or of the agent's --bind-addr"),
    ChartValue(
        name="replicas",
        note="two replicas share the journal in the cluster, of which one acts: set `store.kind: kubernetes` as in "
        "docs/howto/run-two-replicas.md; with one replica there is nothing to do",
    ),
    ChartValue(name="serviceMonitor", children=MONITOR, note=SCRAPE),
    ChartValue(name="podMonitor", children=MONITOR, note=SCRAPE),
    ChartValue(
        name="useHostNetwork",
        note="an agent that is not on the host's network needs the instances' HttpPutResponseHopLimit to be 2",
    ),
    ChartValue(
        name="webhookURLSecretName",
        settings=(("webhook.url_file", ADDRESS_FILE),),
        note=f"mount the Secret, so that its key `webhookurl` is the file {ADDRESS_FILE}",
    ),
    ChartValue(
        name="webhookTemplateConfigMapName",
        standing=REFUSED,
        note="what is in the ConfigMap is not seen here: give its text as `webhookTemplate`, or write it in Spotward's "
        "form, mount it and set `webhook.template_file`",
    ),
    ChartValue(
        name="webhookTemplateConfigMapKey",
        note="it says nothing without `webhookTemplateConfigMapName`",
    ),
    ChartValue(
        name="awsAccessKeyID",
        standing=REFUSED,
        note="credentials do not belong into a configuration: give the service account a role, and leave it out",
    ),
    ChartValue(
        name="awsSecretAccessKey",
        standing=REFUSED,
        note="credentials do not belong into a configuration: give the service account a role, and leave it out",
    ),
    *(
        ChartValue(name=f"windows{rest}", standing=REFUSED, note="there is no agent for Windows; leave it out")
        for rest in (
            "PodLabels",
            "PodAnnotations",
            "NodeSelector",
            "Affinity",
            "Tolerations",
            "DnsPolicy",
            "UpdateStrategy",
        )
    ),
    ChartValue(name="assumeAsgTagPropagation", note="tags are not looked at"),
    ChartValue(name="global", note="it is Helm's own"),
)

BY_NAME = {value.name: value for value in VALUES}

TARGET_OS, EXTRA_ENV = "targetNodeOs", "extraEnv"
"""Two that are read in a way of their own: which systems have an agent, and options as variables."""
EXTRA_ENV_NOTE = "each variable is read as the option that it is; one that is none of the 57 is named"
TARGET_OS_NOTE = "`linux`; an agent for Windows is refused, for there is none"
