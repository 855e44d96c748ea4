"""What is published for a cluster starts the exporters as they are."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from spotward.cli.export import address, parser

DOCUMENTS: list[dict[str, Any]] = list(
    YAML(typ="safe").load_all((Path(__file__).parents[2] / "deploy" / "exporters.yaml").read_text())
)


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in DOCUMENTS if each["kind"] == kind}


@pytest.mark.parametrize("name", sorted(named("Deployment")))
def test_a_pod_serves_where_it_is_probed_and_scraped(name: str) -> None:
    template = named("Deployment")[name]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    word, *words = container["args"]
    assert word == "export"
    host, port = address(parser().parse_args(words).listen_address)
    (declared,) = container["ports"]
    (service,) = named("Service")[name]["spec"]["ports"]
    assert host is None
    assert port == declared["containerPort"] == service["port"]
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {declared["name"]}
    assert named("Service")[name]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["serviceAccountName"] in named("ServiceAccount")
