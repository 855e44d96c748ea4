"""Following a cluster: all that there is, each change, and what happens when the API server goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from spotward.kube.reading import node, pod
from spotward.kube.resources import NODES, PODS, Resource
from spotward.kube.watch import Changed, Listed, Lost, News, Regained, Removed, Wanted, Watch
from spotward.model.cluster import Node, Pod
from spotward.model.errors import Permanent
from tests.cluster.control_plane import NOBODY, ControlPlane
from tests.cluster.stage import PATIENCE_SECONDS, Stage, on_stage

AWAY_SECONDS = {"stopped": 30.0, "frozen": 10.0}
"""How the API server is away, and for how long."""

SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")


class Ear:
    """Hears a watch in the background, and waits for a certain piece of news."""

    def __init__(self, watch: Watch[Any]) -> None:
        self.watch = watch
        self.heard: list[News[Any]] = []
        self._more = asyncio.Event()

    async def listen(self) -> None:
        async with aclosing(self.watch.news()) as told:
            async for news in told:
                self.heard.append(news)
                self._more.set()

    async def until(self, holds: Callable[[News[Any]], bool], seconds: float = PATIENCE_SECONDS) -> News[Any]:
        """The first such piece, of those heard already too."""
        async with asyncio.timeout(seconds):
            seen = 0
            while True:
                for news in self.heard[seen:]:
                    if holds(news):
                        return news
                seen = len(self.heard)
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def hearing(watch: Watch[Any]) -> AsyncIterator[Ear]:
    ear = Ear(watch)
    task = asyncio.create_task(ear.listen())
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def pods_of(stage: Stage, where: Node) -> Wanted[Pod]:
    return Wanted(resource=PODS, reader=pod, field_selector=f"spec.nodeName={where.name}")


def is_about(kind: type[Any], name: str) -> Callable[[News[Any]], bool]:
    return lambda news: isinstance(news, kind) and news.item.name == name


def names_in(news: News[Any]) -> set[str]:
    """Of what is there, by this piece of news."""
    match news:
        case Listed(items=items):
            return {item.name for item in items}
        case Changed(item=item):
            return {item.name}
        case _:
            return set()


@on_stage
async def test_first_all_that_there_is_then_each_change_and_the_end(stage: Stage) -> None:
    here, elsewhere = await stage.node(), await stage.node()
    first = await stage.pod(here)
    await stage.pod(elsewhere)
    async with hearing(Watch(kube=stage.kube, wanted=pods_of(stage, here))) as ear:
        listed = await ear.until(lambda news: isinstance(news, Listed))
        assert isinstance(listed, Listed)
        assert [item.name for item in listed.items] == [first.name]
        second = await stage.pod(here)
        await ear.until(is_about(Changed, second.name))
        await stage.owner.answer("delete", PODS, namespace=stage.namespace, name=second.name)
        gone = await ear.until(is_about(Removed, second.name))
        assert isinstance(gone, Removed)
        assert gone.item.leaving


@on_stage
async def test_a_list_of_many_pages_is_one_list(stage: Stage) -> None:
    here = await stage.node()
    made = {(await stage.pod(here)).name for _ in range(5)}
    async with hearing(Watch(kube=stage.kube, wanted=pods_of(stage, here), page=2)) as ear:
        listed = await ear.until(lambda news: isinstance(news, Listed))
        assert isinstance(listed, Listed)
        assert {item.name for item in listed.items} == made
        assert stage.kube.calls["list pods"] == 3


@on_stage
async def test_what_we_may_not_look_at_is_said_once_and_not_asked_for_ever(stage: Stage) -> None:
    nobody = stage.as_user(NOBODY)
    with pytest.raises(Permanent, match=r"list nodes.*grant it: deploy/clusterrole\.yaml"):
        await Ear(Watch(kube=nobody, wanted=Wanted(resource=NODES, reader=node))).listen()
    nobody.close()


async def too_old(stage: Stage, where: Node) -> None:
    """A server that has just begun remembers no version of before; whoever comes with one of those lists anew."""
    begun = stage.kube.calls.copy()
    async with hearing(Watch(kube=stage.kube, wanted=pods_of(stage, where), _version="1")) as ear:
        listed = await ear.until(lambda news: isinstance(news, Listed))
        assert len(names_in(listed)) == 2
    asked = stage.kube.calls - begun
    assert asked["list pods"] == 1
    assert asked["watch pods"] >= 1, "it began where it stood, and not with a list"


@pytest.mark.parametrize("how", AWAY_SECONDS)
def test_an_api_server_that_is_away_for_half_a_minute_costs_no_change(
    module_control_plane: ControlPlane, how: str
) -> None:
    """Stopped: its port is closed. Frozen: connections stand, and nothing answers, as when a network is cut."""

    async def play() -> None:
        async with Stage(module_control_plane).set() as stage:
            here = await stage.node()
            pod_before = await stage.pod(here)
            async with hearing(Watch(kube=stage.kube, wanted=pods_of(stage, here))) as ear:
                await ear.until(lambda news: isinstance(news, Listed))
                if how == "stopped":
                    module_control_plane.stop("kube-apiserver", kill=True)
                    await ear.until(lambda news: isinstance(news, Lost))
                    await asyncio.sleep(AWAY_SECONDS[how])
                    module_control_plane.start("kube-apiserver")
                else:
                    with module_control_plane.frozen("kube-apiserver"):
                        await asyncio.sleep(AWAY_SECONDS[how])
                other = await stage.pod(here)
                await ear.until(lambda news: other.name in names_in(news))
                losses = [news for news in ear.heard if isinstance(news, Lost)]
                lists = [news for news in ear.heard if isinstance(news, Listed)]
            assert pod_before.name in names_in(lists[-1])
            if how == "stopped":
                assert len(losses) == 1, "it is said once"
                assert [news for news in ear.heard if isinstance(news, Regained)]
                await too_old(stage, here)
            else:
                assert len(losses) <= 1, "none if the connection stood already"
                assert len(lists) == 1, "the version that we know is still good"

    asyncio.run(play())
