"""What is told in batches leads whoever listens to the same picture as what happened, piece by piece."""

from hypothesis import given
from hypothesis import strategies as st

from spotward.kube.shelves import PodShelves, Shelf
from spotward.kube.watch import Changed, Listed, Removed
from spotward.model.cluster import Node, Pod

nodes = st.builds(
    Node, name=st.sampled_from("abc"), uid=st.just("u"), unschedulable=st.booleans(), version=st.sampled_from("12")
)
listed = st.lists(nodes, max_size=3, unique_by=lambda node: node.name).map(lambda items: Listed(items=tuple(items)))
happenings = st.lists(
    listed | nodes.map(lambda node: Changed(item=node)) | nodes.map(lambda node: Removed(item=node)), max_size=12
)


def pod(uid: str, node: str | None, phase: str = "Running") -> Pod:
    return Pod(namespace="shop", name=f"p-{uid}", uid=uid, node=node, phase=phase)


@given(parts=st.lists(happenings, max_size=5))
def test_batches_lead_to_the_same_picture_as_each_piece(
    parts: list[list[Listed[Node] | Changed[Node] | Removed[Node]]],
) -> None:
    shelf: Shelf[Node] = Shelf(name_of=lambda node: node.name)
    heard: dict[str, bool] = {}
    for part in parts:
        for news in part:
            shelf.take(news)
        if (batch := shelf.batch()) is not None:
            heard = {} if batch.whole else heard
            for gone in batch.gone:
                heard.pop(gone.name, None)
            heard |= {node.name: node.unschedulable for node in batch.items}
        assert heard == {name: node.unschedulable for name, node in shelf.known.items()}
        assert shelf.batch() is None, "what was told is not told again"


def test_a_change_of_nothing_but_the_version_is_told_to_nobody() -> None:
    shelf: Shelf[Node] = Shelf(name_of=lambda node: node.name)
    shelf.take(Listed(items=(Node(name="a", uid="u", version="1"),)))
    shelf.batch()
    shelf.take(Changed(item=Node(name="a", uid="u", version="2")))
    assert shelf.batch() is None
    assert shelf.known["a"].version == "2"


def test_what_came_and_went_between_two_batches_is_told_as_gone() -> None:
    shelf: Shelf[Node] = Shelf(name_of=lambda node: node.name)
    shelf.take(Changed(item=Node(name="a", uid="u")))
    shelf.take(Removed(item=Node(name="a", uid="u")))
    batch = shelf.batch()
    assert batch is not None
    assert ([node.name for node in batch.gone], batch.items) == (["a"], ())


def test_pods_are_told_of_the_nodes_that_were_asked_about() -> None:
    pods = PodShelves()
    pods.take(Listed(items=(pod("1", "here"), pod("2", "there"), pod("3", None))))
    assert [each.uid for each in pods.ask("here", "i-1")] == ["1"]
    pods.take(Changed(item=pod("4", "here")))
    pods.take(Changed(item=pod("5", "there")))
    ((node, instance_id, batch),) = pods.batches()
    assert (node, instance_id, [each.uid for each in batch.items]) == ("here", "i-1", ["4"])
    pods.forget("here")
    pods.take(Removed(item=pod("1", "here")))
    assert pods.batches() == []


def test_a_pod_made_again_under_the_same_name_is_another_and_both_are_told() -> None:
    pods = PodShelves()
    pods.take(Listed(items=(pod("1", "here"),)))
    pods.ask("here", "i-1")
    pods.take(Changed(item=pod("2", "here")))
    pods.take(Removed(item=pod("1", "here")))
    ((_, _, batch),) = pods.batches()
    assert ([each.uid for each in batch.items], [each.uid for each in batch.gone]) == (["2"], ["1"])


def test_after_a_new_list_the_asked_nodes_are_told_whole_even_if_nothing_is_left_on_them() -> None:
    pods = PodShelves()
    pods.take(Listed(items=(pod("1", "here"), pod("2", "there"))))
    pods.ask("here", "i-1")
    pods.take(Listed(items=(pod("2", "there"),)))
    ((node, _, batch),) = pods.batches()
    assert (node, batch.items, batch.whole) == ("here", (), True)
    assert pods.of("there") == (pod("2", "there"),)


def test_nodes_without_pods_take_no_room() -> None:
    pods = PodShelves()
    for number in range(100):
        one = pod(str(number), f"n-{number}")
        pods.take(Changed(item=one))
        pods.take(Removed(item=one))
    assert pods._nodes == {}
