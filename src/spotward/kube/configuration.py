"""Where the API server is, and who we are: from a kubeconfig, or from the service account of our own pod.

Looked for in this order: the file that was named, the files of `KUBECONFIG` (joined by `:`; what an earlier one says
counts), the service account, `~/.kube/config`. A kubeconfig comes before the service account only when somebody asked
for it, so that a pod whose image carries a stray `~/.kube/config` still talks to its own cluster.

The form is client-go's: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1
"""

import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spotward.model.errors import ConfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts the token, the authority's certificate and the namespace of a pod's own account."""

HOST_VARIABLE, PORT_VARIABLE = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
KUBECONFIG_VARIABLE = "KUBECONFIG"

NO_CLUSTER = (
    "no Kubernetes cluster is configured: KUBECONFIG is not set, this is no pod with a service account, and there is "
    "no {home}; name a kubeconfig (on EKS, `aws eks update-kubeconfig` writes one)"
)

Entry = Mapping[str, Any]
Lookup = Callable[[str, str], Entry]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecPlugin:
    """A program that prints a token, such as `aws eks get-token`."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    api_version: str = "client.authentication.k8s.io/v1"
    folder: Path = field(default_factory=Path)
    """A command with a slash that is not absolute is meant from here: the kubeconfig's own folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who we are: at most one of the ways is used, a token file before a token, a token before the rest."""

    token: str | None = None
    token_file: Path | None = None
    """Read again every minute: a service account's token is renewed under our feet."""
    username: str | None = None
    password: str | None = None
    plugin: ExecPlugin | None = None
    certificate: bytes | None = None
    """PEM; shown in the TLS handshake, besides any of the above."""
    key: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One API server and how to trust it."""

    server: str
    """`https://host:port/prefix`"""
    origin: str
    """Where all this was read, for messages."""
    authority: bytes | None = None
    """PEM of the authorities that are trusted; None for the machine's own."""
    tls_name: str | None = None
    """The name that the server's certificate must carry, where it differs from the host."""
    verify: bool = True
    namespace: str = "default"
    identity: Identity = field(default_factory=Identity)

    def __post_init__(self) -> None:
        parts = urlsplit(self.server)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ConfigError(f"{self.origin}: server {self.server!r} must be a URL such as https://10.0.0.1:6443")


def find_cluster(
    kubeconfig: str | os.PathLike[str] | None = None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Cluster:
    """The cluster to talk to, by the order above. `context` names one of the kubeconfig's; None takes its current one.

    Raises ConfigError: nothing was found, or what was found cannot be read, with the file and what to change.
    """
    said = os.environ if environment is None else environment
    if kubeconfig is not None:
        return from_files([Path(kubeconfig)], context)
    if named := [Path(part) for part in said.get(KUBECONFIG_VARIABLE, "").split(os.pathsep) if part]:
        present = [file for file in named if file.exists()]
        return from_files(present or named, context)
    if said.get(HOST_VARIABLE) and (service_account / "token").exists():
        return from_service_account(said, service_account)
    home = Path(said.get("HOME", "~")).expanduser() / ".kube" / "config"
    if not home.exists():
        raise ConfigError(NO_CLUSTER.format(home=home))
    return from_files([home], context)


def from_service_account(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Cluster:
    """The cluster that we run in, as our pod's own account."""
    host, port = environment[HOST_VARIABLE], environment.get(PORT_VARIABLE, "443")
    authority, namespace = folder / "ca.crt", folder / "namespace"
    return Cluster(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        origin=f"the service account in {folder}",
        authority=content(authority, "the service account") if authority.exists() else None,
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        identity=Identity(token_file=folder / "token"),
    )


# ---- kubeconfig ----------------------------------------------------------------------------------------------


def from_files(files: list[Path], context: str | None = None) -> Cluster:
    """The cluster of a context. Names are looked up over all files; the first that has one counts."""
    documents = [(file, read(file)) for file in files]
    origin = ":".join(str(file) for file in files)
    chosen = context or next((str(d["current-context"]) for _, d in documents if d.get("current-context")), None)
    if chosen is None:
        raise ConfigError(f"{origin}: no current-context; set one with `kubectl config use-context`, or name a context")
    _, picked = entry(documents, "contexts", "context", chosen, origin)
    cluster_folder, cluster = entry(documents, "clusters", "cluster", str(picked.get("cluster", "")), origin)
    user_folder, user = entry(documents, "users", "user", str(picked.get("user", "")), origin)
    place = f"{origin} (context {chosen})"
    refuse_proxy(cluster, place)
    return Cluster(
        server=str(cluster.get("server", "")),
        origin=place,
        authority=data_or_file(cluster, "certificate-authority", cluster_folder, place),
        tls_name=cluster.get("tls-server-name") or None,
        verify=not cluster.get("insecure-skip-tls-verify", False),
        namespace=str(picked.get("namespace") or "default"),
        identity=identity(user, user_folder, place),
    )


def refuse_proxy(cluster: Entry, place: str) -> None:
    """Going another way than the owner said would be worse than not going."""
    if cluster.get("proxy-url"):
        raise ConfigError(
            f"{place}: proxy-url is not supported; use a context whose server is reached without a proxy, or run "
            "Spotward inside the cluster"
        )


def read(file: Path) -> dict[str, Any]:
    """One kubeconfig. JSON is read without the YAML reader, which weighs 8 MB."""
    text = content(file, "the kubeconfig").decode("utf-8", errors="replace")
    document = json_document(text) if text.lstrip().startswith("{") else yaml_document(text, file)
    if not isinstance(document, dict):
        raise ConfigError(
            "this is no kubeconfig: it must be a mapping with clusters, users and contexts", file=str(file)
        )
    return document


def json_document(text: str) -> object:
    """None if it is no JSON after all."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def yaml_document(text: str, file: Path) -> object:
    """Raises ConfigError with the line."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", error)
        raise ConfigError(f"this kubeconfig is not YAML: {problem}", file=str(file), line=line) from None


def entry(
    documents: list[tuple[Path, dict[str, Any]]], section: str, key: str, name: str, origin: str
) -> tuple[Path, Entry]:
    """The named entry of a section, with the folder that its relative file names are meant from."""
    names: list[str] = []
    for file, document in documents:
        for item in document.get(section) or ():
            if item.get("name") == name:
                return file.parent, item.get(key) or {}
            names.append(str(item.get("name")))
    known = ", ".join(sorted(names)) or "none"
    raise ConfigError(f"{origin}: there is no {key} {name!r} (there is: {known}); correct the name or the context")


def identity(user: Entry, folder: Path, place: str) -> Identity:
    """Raises ConfigError for the ways that client-go has given up as well."""
    if "auth-provider" in user:
        raise ConfigError(f"{place}: auth-provider was removed from Kubernetes in 1.26; use an exec plugin")
    return Identity(
        token=user.get("token") or None,
        token_file=folder / user["tokenFile"] if user.get("tokenFile") else None,
        username=user.get("username") or None,
        password=user.get("password") or None,
        plugin=plugin(user["exec"], folder, place) if user.get("exec") else None,
        certificate=data_or_file(user, "client-certificate", folder, place),
        key=data_or_file(user, "client-key", folder, place),
    )


def plugin(said: Entry, folder: Path, place: str) -> ExecPlugin:
    """An exec plugin's entry."""
    version = str(said.get("apiVersion", ""))
    if version not in {"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}:
        raise ConfigError(f"{place}: exec apiVersion {version!r} is not known; use client.authentication.k8s.io/v1")
    if not said.get("command"):
        raise ConfigError(f"{place}: exec names no command")
    return ExecPlugin(
        command=str(said["command"]),
        arguments=tuple(str(word) for word in said.get("args") or ()),
        environment={str(item["name"]): str(item["value"]) for item in said.get("env") or ()},
        api_version=version,
        folder=folder,
    )


def data_or_file(said: Entry, key: str, folder: Path, place: str) -> bytes | None:
    """`<key>-data` in base64 counts before the file that `<key>` names."""
    if inline := said.get(f"{key}-data"):
        try:
            return base64.b64decode(inline, validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError(f"{place}: {key}-data is not base64; write the kubeconfig anew") from None
    return content(folder / said[key], f"{key} of {place}") if said.get(key) else None


def content(file: Path, what: str) -> bytes:
    """Raises ConfigError in words."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{what}: there is no file {file}; correct the path") from None
    except OSError as error:
        raise ConfigError(
            f"{what}: {file} cannot be read ({error.strerror}); correct its path or its permissions"
        ) from None
