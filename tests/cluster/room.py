"""Room for a journal in a test's cluster: what deploy/journal.yaml says, applied as its comment says."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from spotward.engine.clock import SystemClock, uptime_seconds
from spotward.engine.journal_rows import Retention
from spotward.engine.ports import Clock
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from spotward.kube.mirror import RETENTION
from spotward.kube.records import RECORDS, Budget
from spotward.kube.resources import Resource
from spotward.kube.store import KubeStore
from tests.cluster.control_plane import ADMIN, SPOTWARD, ControlPlane

MANIFEST = Path(__file__).parents[2] / "deploy" / "journal.yaml"
NAMESPACE = "spotward"

_writers = itertools.count(1)


def as_user(control_plane: ControlPlane, user: str = SPOTWARD) -> Kube:
    """A client of its own."""
    return Kube(find_cluster(control_plane.kubeconfig(user)), clock=SystemClock())


def furnish(control_plane: ControlPlane) -> None:
    """Apply the manifest, unless it was applied, and wait until the API server serves the new kind."""

    async def furnished() -> None:
        owner = as_user(control_plane, ADMIN)
        for document in YAML(typ="safe").load_all(MANIFEST.read_text()):
            group, _, version = document["apiVersion"].rpartition("/")
            plural = f"{document['kind'].lower()}s"
            resource = Resource(group=group, version=version, plural=plural, kind=document["kind"])
            answer = await owner.answer(
                "create", resource, namespace=document["metadata"].get("namespace"), body=document
            )
            assert answer.status in {201, 409}, answer.body
        for _ in range(300):
            if (await owner.answer("list", RECORDS, namespace=NAMESPACE)).status == 200:
                break
            await asyncio.sleep(0.1)
        owner.close()

    asyncio.run(furnished())


def journal_of(place: Path) -> str:
    """A journal's name that belongs to a test's own folder."""
    return f"j{hashlib.blake2b(str(place).encode(), digest_size=5).hexdigest()}"


def open_store(
    control_plane: ControlPlane,
    name: str,
    *,
    clock: Clock | None = None,
    stopwatch: Callable[[], float] = uptime_seconds,
    user: str = SPOTWARD,
    namespace: str = NAMESPACE,
    budget: Budget | None = None,
    retention: Retention | None = None,
) -> KubeStore:
    """A process's own store. Two of one name are two processes' view of one journal."""
    kube = as_user(control_plane, user)
    writer = f"writer-{next(_writers)}"
    return KubeStore(
        kube,
        namespace=namespace,
        name=name,
        writer=writer,
        clock=clock,
        stopwatch=stopwatch,
        budget=budget,
        retention=retention or RETENTION,
    )
