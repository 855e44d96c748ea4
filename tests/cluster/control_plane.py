"""A real control plane on free loopback ports: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and KWOK.

There is no kubelet: KWOK says of every node that it is Ready and of every pod what `kwok.yaml` tells it to. Everything
else is what a cluster runs, with its own admission, budgets, taints, garbage collection and leases. What a test may
turn off or on, it does by `stop` and `start` of one component: an API server that goes away is really away.

Two timings differ from a cluster's: nodes are not declared lost for want of a heartbeat (KWOK sends none, which leaves
the processors of a small machine to the test), and etcd does not wait for the disk.
"""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from tests.cluster.build import Binaries
from tests.cluster.papers import MASTERS, Papers, issue
from tests.ports import free_ports

ADMIN = "admin"
SPOTWARD = "system:serviceaccount:spotward:spotward"
"""As whom everything under test runs but agents: it may do what deploy/clusterrole.yaml says, and no more."""

AGENT = "system:serviceaccount:spotward:spotward-agent"
"""As whom agents run: they may do what deploy/agent.yaml says, and no more."""

NOBODY = "nobody"
"""Somebody who is known and may do nothing."""

START_SECONDS_MAX = 120.0
"""How long a component may take to say that it is ready, on a machine that is busy with other things."""

STOP_SECONDS_MAX = 20.0
"""How long a component may take to stop when it is asked; then it is killed."""

CONTROLLERS = (
    "daemonset-controller,deployment-controller,disruption-controller,garbage-collector-controller,job-controller,"
    "namespace-controller,node-lifecycle-controller,persistentvolume-binder-controller,"
    "persistentvolumeclaim-protection-controller,pod-garbage-collector-controller,replicaset-controller,"
    "serviceaccount-controller,statefulset-controller,taint-eviction-controller"
)
"""Those that act on pods and nodes. The others would only use the processor."""

STAGES = Path(__file__).with_name("kwok.yaml")

AUDITED = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {{level: Metadata, users: ["{user}"]}}
- level: None
"""
"""What the API server notes of, where it notes anything: every request of the account under test, without contents."""

SCHEDULER = """\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {{kubeconfig: {kubeconfig}, qps: 1000, burst: 1000}}
leaderElection: {{leaderElect: false}}
"""


class NotStarted(Exception):  # noqa: N818 - it says what happened, and reads as that
    """A component did not become ready; the text holds the end of its log."""


class ControlPlane:
    """One control plane, in one folder. `with ControlPlane(...)` starts all of it and stops all of it."""

    def __init__(self, binaries: Binaries, folder: Path, *, audited: bool = False) -> None:
        """`audited`: the API server notes each request of SPOTWARD in `audit_log`."""
        self._binaries, self.folder, self._audited = binaries, folder, audited
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = dict(zip(("etcd", "peer", "api", "controllers", "scheduler", "kwok"), free_ports(6), strict=True))
        users = {
            ADMIN: (MASTERS,),
            SPOTWARD: ("system:serviceaccounts", "system:serviceaccounts:spotward", "system:authenticated"),
            AGENT: ("system:serviceaccounts", "system:serviceaccounts:spotward", "system:authenticated"),
            NOBODY: ("system:authenticated",),
        }
        self.papers: Papers = issue(folder / "papers", users)
        self.start_seconds: dict[str, float] = {}
        """How long each component took to become ready when it was last started."""

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self._ports['api']}"

    def kubeconfig(self, user: str) -> Path:
        return self.papers.kubeconfig(self.server, user)

    def __enter__(self) -> Self:
        try:
            self.start("etcd")
            self.start("kube-apiserver")
            for component in ("kube-controller-manager", "kube-scheduler", "kwok"):
                self.start(component, wait=False)
            for component in ("kube-controller-manager", "kube-scheduler", "kwok"):
                self.wait(component)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for component in reversed(list(self._running)):
            self.stop(component, kill=True)  # nothing of it is wanted any more, and an API server takes its time

    # ---- one component ---------------------------------------------------------------------------------------

    def start(self, component: str, *, wait: bool = True) -> None:
        """Start it, on the port it had before, and wait until it is ready."""
        program = self._binaries.kwok if component == "kwok" else self._binaries.kubernetes
        words = [str(program), *([] if component == "kwok" else [component]), *self._flags(component)]
        with (self.folder / f"{component}.log").open("ab") as log:
            self._running[component] = subprocess.Popen(
                words, stdout=log, stderr=log, cwd=self.folder, env=self._environment(), start_new_session=True
            )
        if wait:
            self.wait(component)

    def wait(self, component: str) -> None:
        """Until its health check says ok. Raises NotStarted."""
        begun = time.perf_counter()
        while not self._ready(component):
            if self._running[component].poll() is not None or time.perf_counter() - begun > START_SECONDS_MAX:
                raise NotStarted(f"{component} did not start; the end of its log:\n{self.log(component)}")
            time.sleep(0.1)
        self.start_seconds[component] = time.perf_counter() - begun

    def stop(self, component: str, *, kill: bool = False) -> None:
        """Stop it, politely or not, and wait until it is gone."""
        process = self._running.pop(component, None)
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def frozen(self, component: str) -> Iterator[None]:
        """It keeps its connections and answers nothing, as a machine does that lost its network."""
        process = self._running[component]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def log(self, component: str, lines: int = 30) -> str:
        """The end of what it said."""
        return "\n".join((self.folder / f"{component}.log").read_text(errors="replace").splitlines()[-lines:])

    def memory_mib(self, component: str) -> float:
        """Resident now."""
        status = Path(f"/proc/{self._running[component].pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    # ---- how each is told what to be -------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        """Proxies are for the outside, and everything here is inside. KWOK reads its home folder for more stages."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**kept, "HOME": str(self.folder), "KWOK_WORKDIR": str(self.folder / "kwok")}

    def _flags(self, component: str) -> Sequence[str]:
        match component:
            case "etcd":
                return self._etcd_flags()
            case "kube-apiserver":
                return self._api_flags()
            case "kube-controller-manager":
                return self._controller_flags()
            case "kube-scheduler":
                return self._scheduler_flags()
            case _:
                return self._kwok_flags()

    def _etcd_flags(self) -> Sequence[str]:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        return (
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync=true",
            "--log-level=warn",
        )

    def _api_flags(self) -> Sequence[str]:
        papers = self.papers.folder
        return (
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._ports['api']}",
            f"--tls-cert-file={papers / 'server.crt'}",
            f"--tls-private-key-file={papers / 'server.key'}",
            f"--client-ca-file={papers / 'ca.crt'}",
            f"--token-auth-file={papers / 'tokens.csv'}",
            f"--service-account-key-file={papers / 'service-accounts.key'}",
            f"--service-account-signing-key-file={papers / 'service-accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # a pod need not wait for its namespace's account
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            *(self._audit_flags() if self._audited else ()),
        )

    def _audit_flags(self) -> Sequence[str]:
        policy = self.folder / "audited.yaml"
        policy.write_text(AUDITED.format(user=SPOTWARD))
        return (f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-mode=blocking")

    def _controller_flags(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self.kubeconfig(ADMIN)}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['controllers']}",
            f"--controllers={CONTROLLERS}",
            "--leader-elect=false",
            "--node-monitor-grace-period=24h",
            "--kube-api-qps=1000",
            "--kube-api-burst=1000",
            "--profiling=false",
        )

    def _scheduler_flags(self) -> Sequence[str]:
        file = self.folder / "scheduler.yaml"
        file.write_text(SCHEDULER.format(kubeconfig=self.kubeconfig(ADMIN)))
        return (f"--config={file}", "--bind-address=127.0.0.1", f"--secure-port={self._ports['scheduler']}")

    def _kwok_flags(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self.kubeconfig(ADMIN)}",
            f"--config={STAGES}",
            "--manage-all-nodes=true",
            "--node-ip=127.0.0.1",
            f"--server-address=127.0.0.1:{self._ports['kwok']}",
        )

    def _ready(self, component: str) -> bool:
        match component:
            case "etcd":
                return answers(f"http://127.0.0.1:{self._ports['etcd']}/health")
            case "kube-apiserver":
                return answers(f"{self.server}/readyz", self.papers)
            case "kube-controller-manager":
                return answers(f"https://127.0.0.1:{self._ports['controllers']}/healthz")
            case "kube-scheduler":
                return answers(f"https://127.0.0.1:{self._ports['scheduler']}/healthz")
            case _:
                return answers(f"http://127.0.0.1:{self._ports['kwok']}/healthz")


def answers(url: str, papers: Papers | None = None) -> bool:
    """Does it answer with 200? Components but the API server show a certificate of their own making."""
    trust = ssl.create_default_context(cafile=papers.authority) if papers else ssl._create_unverified_context()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    request = urllib.request.Request(url)
    if papers:
        request.add_header("Authorization", f"Bearer {papers.token(ADMIN)}")
    try:
        with opener.open(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, json.JSONDecodeError):
        return False
