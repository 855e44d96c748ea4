"""The servers that other tests here start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.clients import eventually
from tests.plugins.receiver import receiving
from tests.prometheus.conftest import StartPrometheus
from tests.prometheus.servers import Alertmanager

pytestmark = pytest.mark.slow


def test_an_alert_of_a_real_prometheus_reaches_a_receiver_by_a_real_alertmanager(
    prometheus: StartPrometheus, alertmanager: Callable[[Any], Alertmanager], tmp_path: Path
) -> None:
    with receiving() as receiver:
        hook = {"url": f"{receiver.url}/hook", "send_resolved": False}
        manager = alertmanager(
            {
                "route": {"receiver": "us", "group_wait": "1s"},
                "receivers": [{"name": "us", "webhook_configs": [hook]}],
            }
        )
        server = prometheus(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": ["127.0.0.1:1"]}]}],
                "alerting": {
                    "alertmanagers": [{"static_configs": [{"targets": [manager.url.removeprefix("http://")]}]}]
                },
            },
            {"groups": [{"name": "us", "rules": [{"alert": "Gone", "expr": "up == 0"}]}]},
        )
        eventually(lambda: receiver.heard)
        assert [alert["state"] for alert in server.alerts("Gone")] == ["firing"]
        assert manager.alerts("Gone")
        assert server.targets() == {"http://127.0.0.1:1/metrics": "down"}
    assert b"Gone" in receiver.heard[0][2]
