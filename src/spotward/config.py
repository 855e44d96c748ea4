"""What the operator may set, as one value: each room's own policy, read once, at the edge.

Three sources, the later winning: the defaults in the code, a YAML file, the command line. Every setting has a default
that is safe; a file is needed by nobody. A mistake is told with file, line and column, what was read and the nearest
right name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from spotward.groups.policy import GroupsPolicy
from spotward.model.errors import ConfigError
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.builtin.annotate import Grafana
from spotward.plugins.builtin.command import Command
from spotward.plugins.builtin.notify import Destination
from spotward.plugins.builtin.request import Target
from spotward.plugins.host.settings import Terms
from spotward.plugins.on_notice import OnNotice
from spotward.plugins.webhook import Webhook

Form = TypeVar("Form", bound=BaseModel)
"""Of a file of settings."""

STATE_DIRECTORY = Path("~/.local/state/spotward")
"""Where the journal and what must outlive the process are kept, unless told otherwise."""


def _object_name(text: str) -> str:
    """A name that an object of a cluster may have, with room for what is put behind it."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", text):
        raise ValueError("give at most 40 lowercase letters, digits and hyphens, such as `spotward`")
    return text


ObjectName = Annotated[str, AfterValidator(_object_name)]


def _annotation_name(text: str) -> str:
    """Kubernetes would refuse every Event with another."""
    prefix, _, name = text.rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", name):
        raise ValueError("give a name of at most 63 letters, digits, `-`, `_` and `.`, such as `team`")
    if "/" in text and not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", prefix):
        raise ValueError("give a domain before the slash, such as `example.com/team`")
    return text


AnnotationName = Annotated[str, AfterValidator(_annotation_name)]


class Section(BaseModel):
    """Settings under one name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def _paths(said: Any) -> Any:
    """One path is a list of one."""
    return (said,) if isinstance(said, str | Path) else said


class Compat(Section):
    """Reading what other tools left behind."""

    autospotting: bool = False
    """Read AutoSpotting's tags too: `spot-enabled=true` opts a group in, and its tags for the on-demand share and the
    types are understood. Off, such a group is not touched."""

    nth: bool = False
    """Read the variables and options of the Node Termination Handler too: `spotward agent` in place of its IMDS mode,
    `spotward run` in place of its queue mode. What this file says wins. docs/reference/nth.md lists them all."""

    hollowtrees: Annotated[
        tuple[Path, ...], BeforeValidator(_paths, json_schema_input_type=Path | tuple[Path, ...])
    ] = ()
    """Path of a `config.yaml` of Hollowtrees, of any of its generations, or several: its flows are rules, beside those
    of `flows.rules`. What is otherwise than it was is logged at the start."""


class Web(Section):
    """The daemon's own pages: /healthz, /readyz and /metrics."""

    host: str = "127.0.0.1"
    """The address to listen on. The default is reached from this machine alone; a probe or a scraper elsewhere needs
    `0.0.0.0`. The pages show names and figures of groups and can change nothing."""

    port: Annotated[int | None, Field(ge=0, le=65535)] = 9107
    """The port; 0 takes a free one, and null serves no pages at all."""


class Traces(Section):
    """Telling an OpenTelemetry collector what led to what, from each event to what came of it."""

    endpoint: str | None = None
    """Where a collector takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. None: nothing is told, and
    plugins are passed the `traceparent` that came with the event. It needs the extra `spotward[otel]`."""

    headers_file: Path | None = None
    """A file of headers for the collector, `name: value` on each line. They may be secret, and are sent with every
    batch."""

    service: str = "spotward"
    """What this process is called in traces: `service.name`."""


class StoreSettings(Section):
    """Where the journal is kept."""

    kind: Literal["sqlite", "kubernetes"] = "sqlite"
    """`sqlite`: a file in the directory `state`, for one process. `kubernetes`: objects in the cluster itself, for two
    replicas of which one acts and the other takes over; the cluster is found as kubectl finds it."""

    namespace: ObjectName | None = None
    """The namespace of the journal in the cluster. None means the one of the pod's own account, or of the kubeconfig's
    context."""

    name: ObjectName = "spotward"
    """The journal's name in the cluster. Processes that name the same journal are replicas of one another; two
    installations in one namespace need two names."""

    lease_seconds: Annotated[float, Field(ge=5, le=120)] = 10.0
    """In the cluster: a replica that was killed is replaced so long after its last sign of life. One that cannot reach
    the API server stops acting after seven tenths of it."""


class Kubernetes(Section):
    """The Kubernetes cluster whose nodes are looked after."""

    enabled: bool = False
    """Look after a cluster's nodes: follow them, and empty those that EC2 or their group takes. Off, no cluster is
    asked for anything. What is done to nodes is set under `nodes`."""

    kubeconfig: Path | None = None
    """A kubeconfig. None means what kubectl would use: KUBECONFIG, then the pod's own account, then ~/.kube/config."""

    context: str | None = None
    """The context of the kubeconfig. None means its current one."""

    event_annotations: Mapping[AnnotationName, str] = {}
    """Annotations of your own on every Kubernetes Event that is written, beside the facts of the machine."""


class Doors(Section):
    """Where Prometheus, Alertmanager, EventBridge and senders of CloudEvents tell us things, for rules."""

    host: str = "127.0.0.1"
    """The address to listen on. The default is reached from this machine alone."""

    port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """The port; 0 takes a free one, and null opens no door."""

    grpc_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """The port for CloudEvents by gRPC (`io.cloudevents.v1.CloudEventService`); 0 takes a free one, null opens none. It
    asks for the same token and certificates as the other doors."""

    token_file: Path | None = None
    """Who comes in sends a token of this file: `Authorization: Bearer …`, or `X-Api-Key: …`. One to a line."""

    certificate: Path | None = None
    """The doors' own certificate (PEM, with its chain): they then speak TLS. Taken up anew when it is renewed."""

    key: Path | None = None
    """Its private key."""

    client_ca: Path | None = None
    """Who comes in shows a certificate of this authority."""

    insecure: bool = False
    """Let everybody in, readable on the way. Whoever reaches the port can then make rules act."""


class ClusterPlace(Section):
    """Where a cluster is."""

    kubeconfig: Path | None = None
    """A kubeconfig. None means what kubectl would use: KUBECONFIG, then the pod's own account, then ~/.kube/config."""

    context: str | None = None
    """The context of the kubeconfig. None means its current one."""


class KubernetesSteps(Section):
    """What steps of the plugin `kubernetes` may do, and where."""

    namespaces: tuple[str, ...] = ()
    """Namespaces, by name or glob, in which steps may move pods, and scale and restart workloads. None: steps act on
    nodes alone."""

    clusters: Mapping[ObjectName, ClusterPlace] = {}
    """Further clusters, by the names that events give in `cluster_name` and steps in `cluster`. Only these, and the one
    that is looked after by its name `nodes.cluster`, can be meant. Each has a journal of its own, in the directory
    `clusters` of `state`."""

    home: ObjectName | None = None
    """Which of `clusters` is meant where nobody names one. None: the one that is looked after; for a server of its own
    the only one of `clusters`, and without any the one that kubectl would take."""


class OwnPlugins(Section):
    """What the plugins that come along may do, and where: under `flows`, or in the file of a plugin's own server."""

    notify: Mapping[str, Annotated[Destination, Field(discriminator="kind")]] = {}
    """Destinations of the plugin `notify`, by name, each of a kind: slack, webhook, email, sns."""

    commands: Mapping[str, Command] = {}
    """Commands that the plugin `exec` may run, by name."""

    targets: Mapping[str, Target] = {}
    """Addresses that the plugin `http` may call, by name."""

    grafana: Grafana | None = None
    """Where the plugin `annotate` marks moments."""

    kubernetes: KubernetesSteps = KubernetesSteps()


class Flows(OwnPlugins):
    """Your own rules: what to do when something occurs."""

    rules: Path | None = None
    """The rules file. None: nothing that comes in by the doors is acted on."""

    plugins: Mapping[str, Terms] = {}
    """For plugins of the rules file, by their names: certificates and tokens, how many calls at once, and when one that
    cannot be reached is left alone."""


class Config(Section):
    """All settings of `spotward run`, `handle`, `plan` and `status`."""

    regions: tuple[str, ...] = ()
    """Regions to look after, by name or glob (`eu-*`). None means the region of the environment (AWS_REGION or the
    profile); a region is never guessed."""

    state: Path = STATE_DIRECTORY
    """The directory of the journal. Two daemons must not share one."""

    store: StoreSettings = StoreSettings()

    queue: str | None = None
    """Name of the SQS queue, in each region, that EventBridge events come to; or the URL of one queue. None follows no
    events: then everything waits for the next observation."""

    observe_seconds: Annotated[float, Field(ge=1)] = 60.0
    """How often a region is looked at when nothing happens. A minute is half of EC2's notice, and costs a page of
    DescribeAutoScalingGroups for each hundred groups."""

    refresh_seconds: Annotated[float, Field(ge=60)] = 6 * 3600.0
    """How often every member is described afresh, to notice a tag that somebody set on an instance meanwhile."""

    on_demand_prices: Path | None = None
    """A JSON file, region → instance type → price per hour, used instead of the Pricing API where it knows the type."""

    aws_calls_at_once_max: Annotated[int, Field(ge=1, le=256)] = 16
    """How many AWS calls may be under way at once, besides long polls and launches, which take long by nature."""

    groups: GroupsPolicy = GroupsPolicy()
    """What is wanted of groups; their own tags win."""

    nodes: NodesPolicy = NodesPolicy()
    """What is wanted of the nodes of a Kubernetes cluster."""

    kubernetes: Kubernetes = Kubernetes()

    on_notice: tuple[OnNotice, ...] = ()
    """Commands that `spotward agent` runs when something is heard of its machine, each with `command`, `causes` and
    `seconds_max`. They are killed when their time is over, and the node's emptying does not wait for them."""

    webhook: Webhook = Webhook()
    """Where people are told of nodes that are emptied."""

    flows: Flows = Flows()
    doors: Doors = Doors()
    compat: Compat = Compat()
    web: Web = Web()
    traces: Traces = Traces()

    @property
    def nodes_policy(self) -> NodesPolicy:
        """The nodes' policy with what other sections say of it."""
        return replace(
            self.nodes,
            awaited=self.nodes.awaited or self.kubernetes.enabled,
            notify=self.nodes.notify or self.webhook.configured,
        )

    @property
    def groups_policy(self) -> GroupsPolicy:
        """The groups' policy with what other sections say of it."""
        return replace(
            self.groups,
            cluster_awaited=self.groups.cluster_awaited or self.nodes_policy.expects_a_cluster,
            compat_autospotting=self.groups.compat_autospotting or self.compat.autospotting,
        )


def load(path: Path | None, *, beneath: Mapping[str, Any] | None = None) -> Config:
    """The configuration that a file describes; the defaults without one. Raises ConfigError with the place.

    beneath: settings as a file has them, which count where the file says nothing.
    """
    if path is None:
        return _validated(beneath or {}, {}, file=None)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot be read: {why}; give the path of a YAML file", file=str(path)) from error
    return parse(text, file=str(path), beneath=beneath)


def parse(text: str, *, file: str, beneath: Mapping[str, Any] | None = None) -> Config:
    """The configuration in a text, over what lies beneath. Raises ConfigError with the place of the first mistake."""
    document = yaml_document(text, file)
    return _validated(_over(beneath or {}, document), document, file=file)


def _over(beneath: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Section by section; a list or a value that is above replaces the one beneath whole."""
    both = {name for name in beneath.keys() & above.keys() if isinstance(beneath[name], Mapping)}
    merged = {name: _over(beneath[name], above[name]) for name in both if isinstance(above[name], Mapping)}
    return {**beneath, **above, **merged}


def _validated(values: Mapping[str, Any], document: Mapping[str, Any], *, file: str | None) -> Config:
    return validated(Config, values, document, file=file, schema_command="spotward config schema")


def validated(
    form: type[Form], values: Mapping[str, Any], document: Mapping[str, Any], *, file: str | None, schema_command: str
) -> Form:
    """The settings that these values are. Raises ConfigError with the place of the first mistake.

    document: what stands in the file, for that place. schema_command: lists every setting.
    """
    try:
        return form.model_validate(values)
    except ConfigError as error:  # a policy's own check of its values
        line, column = _place(document, tuple((error.setting or "groups.defaults").split(".")))
        raise ConfigError(str(error), file=file, line=line, column=column) from error
    except ValidationError as error:
        first = error.errors()[0]
        line, column = _place(document, first["loc"])
        words = _words(first, form.model_json_schema(), schema_command)
        raise ConfigError(words, file=file, line=line, column=column) from error


def changed(config: Config, **settings: Any) -> Config:
    """The configuration with what the command line says; a setting that is None there was not given."""
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        return Config.model_validate(config.model_dump() | given) if given else config
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def yaml_document(text: str, file: str) -> Mapping[str, Any]:
    """The settings in a YAML text, with their places. Raises ConfigError."""
    document = _loaded(text, file)
    if not isinstance(document, dict | None):
        raise ConfigError(
            "the file must be a mapping of settings, such as `queue: spotward`", file=file, line=1, column=1
        )
    return document or {}


def _loaded(text: str, file: str) -> Any:
    from ruamel.yaml import YAML  # late: it takes a tenth of a second, and most commands are given no file
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise ConfigError(
            f"this is not YAML: {error.problem}; check indentation and quotes here", file=file, line=line, column=column
        ) from error
    except YAMLError as error:
        raise ConfigError(f"this is not YAML: {error}; check the file's characters", file=file) from error


def _place(document: Any, location: tuple[int | str, ...]) -> tuple[int | None, int | None]:
    """Line and column, from 1, of the innermost part of the location that stands in the document."""
    place: tuple[int | None, int | None] = (None, None)
    here = document
    for part in location:
        try:
            line, column = here.lc.key(part) if hasattr(here, "items") else here.lc.item(part)
            here = here[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        place = (line + 1, column + 1)
    return place


def _words(error: Any, whole: Mapping[str, Any], schema_command: str) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = _nearest(error["loc"], whole)
        return f"unknown setting `{name}`; {near or f'`{schema_command}` lists every setting'}"
    given = _shown(error["input"])
    if error["type"] in ("model_type", "dataclass_type"):
        return f"`{name}` is {given}; give settings, each on a line of its own below it"
    if error["type"] == "tuple_type":
        return f"`{name}` is {given}; give a list, such as [a, b]"
    return f"`{name}` is {given}: {error['msg'].removeprefix('Value error, ')}"


def _shown(given: Any) -> str:
    """A value, for a message; of many together only that there are: an address among them may be a secret."""
    if isinstance(given, Mapping):
        return f"a mapping of {', '.join(f'`{key}`' for key in given) or 'nothing'}"
    return "a list" if isinstance(given, list | tuple) else repr(given)


def _nearest(location: tuple[int | str, ...], whole: Mapping[str, Any]) -> str:
    properties = whole["properties"]
    for part in location[:-1]:
        reference = properties.get(str(part), {}).get("$ref", "").rsplit("/", 1)[-1]
        properties = whole["$defs"].get(reference, {}).get("properties", {})
    near = get_close_matches(str(location[-1]), list(properties), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors."""
    return Config.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Spotward"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One setting, as the reference lists it."""

    name: str
    """Dotted, as a path through the file."""
    default: str
    """As it would stand in the file."""
    meaning: str
    """The first paragraph; the schema has the rest."""


def settings() -> tuple[Setting, ...]:
    """Every setting that a file may hold, in its order."""
    whole = schema()
    return tuple(_settings(whole, whole, ""))


def _settings(whole: dict[str, Any], section: dict[str, Any], prefix: str) -> Iterator[Setting]:
    for name, entry in section["properties"].items():
        referred = whole["$defs"].get(entry.get("$ref", "").rsplit("/", 1)[-1], {})
        if "properties" in referred:  # a section of its own, and not one of a few words
            yield from _settings(whole, referred, f"{prefix}{name}.")
            continue
        default = json.dumps(entry["default"], ensure_ascii=False)
        meaning = " ".join(entry["description"].split("\n\n")[0].split())
        yield Setting(name=f"{prefix}{name}", default=default, meaning=meaning)
