"""Where the API server is: every way to say it, and what is said when it is said wrongly."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from spotward.kube.configuration import ExecPlugin, find_cluster
from spotward.kube.wire import trust
from spotward.model.errors import ConfigError

YAML_FILE = """\
apiVersion: v1
kind: Config
current-context: main
contexts:
- name: main
  context: {cluster: eks, user: me, namespace: shop}
- name: other
  context: {cluster: eks, user: nobody}
clusters:
- name: eks
  cluster:
    server: https://10.0.0.1:6443/prefix
    certificate-authority: ca.crt
    tls-server-name: kubernetes
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: aws
      args: [eks, get-token, --cluster-name, web]
      env: [{name: AWS_PROFILE, value: shop}]
"""


def written(folder: Path, document: Any, name: str = "config") -> Path:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def document(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    """`cluster`: fields of the cluster, with _ for the - in their names."""
    fields = {name.replace("_", "-"): value for name, value in cluster.items()}
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1", **fields}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def test_a_kubeconfig_as_eks_writes_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"PEM")
    cluster = find_cluster(written(tmp_path, YAML_FILE))
    assert cluster.server == "https://10.0.0.1:6443/prefix"
    assert (cluster.authority, cluster.tls_name, cluster.namespace) == (b"PEM", "kubernetes", "shop")
    assert cluster.identity.plugin == ExecPlugin(
        command="aws",
        arguments=("eks", "get-token", "--cluster-name", "web"),
        environment={"AWS_PROFILE": "shop"},
        api_version="client.authentication.k8s.io/v1beta1",
        folder=tmp_path,
    )


def test_data_in_the_file_counts_before_a_file_beside_it(tmp_path: Path) -> None:
    inline = base64.b64encode(b"inline").decode()
    said = document(certificate_authority_data=inline, certificate_authority="none")
    assert find_cluster(written(tmp_path, said)).authority == b"inline"


def test_the_order_in_which_it_is_looked_for(tmp_path: Path) -> None:
    account, home = tmp_path / "account", tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    account.mkdir()
    named = written(tmp_path, document(server="https://named"), "named")
    listed = written(tmp_path, document(server="https://listed"), "listed")
    environment = {"KUBECONFIG": str(listed), "KUBERNETES_SERVICE_HOST": "fd00::1", "HOME": str(home)}
    (account / "token").write_text("t")

    def found(kubeconfig: Path | None = None) -> str:
        return find_cluster(kubeconfig, environment=environment, service_account=account).server

    assert found(named) == "https://named"
    assert found() == "https://listed"
    del environment["KUBECONFIG"]
    assert found() == "https://[fd00::1]:443"
    (account / "token").unlink()
    with pytest.raises(ConfigError, match="no Kubernetes cluster is configured"):
        found()
    written(home / ".kube", document(server="https://home"))
    assert found() == "https://home"


def test_of_several_files_the_first_that_says_something_counts(tmp_path: Path) -> None:
    first = written(tmp_path, {"clusters": [{"name": "c", "cluster": {"server": "https://first"}}]}, "first")
    second = written(tmp_path, document(server="https://second"), "second")
    listed = f"{tmp_path / 'missing'}:{first}:{second}"
    assert find_cluster(environment={"KUBECONFIG": listed}).server == "https://first"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clusters: [", r"config:1:? ?.*not YAML|not YAML"),
        ("just words", "no kubeconfig"),
        ("{", "no kubeconfig"),
        ("current-context: gone", r"there is no context 'gone' \(there is: none\)"),
        ("clusters: []", "no current-context"),
        (json.dumps(document(server="10.0.0.1:6443")), "must be a URL such as https://10.0.0.1:6443"),
        (json.dumps(document(certificate_authority_data="%%%")), "certificate-authority-data is not base64"),
        (json.dumps(document(certificate_authority="ca.crt")), "there is no file .*ca.crt"),
        (json.dumps(document(proxy_url="http://proxy")), "proxy-url is not supported"),
        (json.dumps(document(user={"auth-provider": {"name": "gcp"}})), "use an exec plugin"),
        (json.dumps(document(user={"exec": {"apiVersion": "v9", "command": "x"}})), "'v9' is not known"),
        (
            json.dumps(document(user={"exec": {"apiVersion": "client.authentication.k8s.io/v1"}})),
            "exec names no command",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_next_step(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        find_cluster(written(tmp_path, text))
    assert str(tmp_path) in str(caught.value)


def test_a_kubeconfig_that_points_nowhere_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*nowhere; correct the path"):
        find_cluster(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"there is no file .*nowhere; correct the path"):
        find_cluster(environment={"KUBECONFIG": str(tmp_path / "nowhere")})


def test_a_context_may_be_named_and_a_wrong_one_lists_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"PEM")
    file = written(tmp_path, YAML_FILE)
    with pytest.raises(ConfigError, match="there is no user 'nobody'"):
        find_cluster(file, "other")
    with pytest.raises(ConfigError, match="there is: main, other"):
        find_cluster(file, "third")


@pytest.mark.parametrize("user", [{}, {"client-certificate-data": base64.b64encode(b"no PEM").decode()}])
def test_a_certificate_that_is_none_is_said_before_anything_is_sent(tmp_path: Path, user: dict[str, str]) -> None:
    authority = "" if user else base64.b64encode(b"no PEM").decode()
    with pytest.raises(ConfigError, match="a certificate or key cannot be used"):
        trust(find_cluster(written(tmp_path, document(user, certificate_authority_data=authority))))
