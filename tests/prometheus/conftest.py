"""A real Prometheus and a real Alertmanager for whoever asks for them; they end with the test.

Everything here that starts one is marked slow: `make test` needs neither.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.prometheus.servers import Alertmanager, Prometheus, alertmanager_running, prometheus_running


class StartPrometheus(Protocol):
    """Starts one and waits until it is ready."""

    def __call__(self, config: Mapping[str, Any], rules: Mapping[str, Any] | None = None) -> Prometheus: ...


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[StartPrometheus]:
    """`prometheus(config, rules)`: one that runs, with `.url`. `rules` are the content of a rules file."""
    numbers = count(1)
    with ExitStack() as running:

        def start(config: Mapping[str, Any], rules: Mapping[str, Any] | None = None) -> Prometheus:
            return running.enter_context(prometheus_running(tmp_path / f"prometheus-{next(numbers)}", config, rules))

        yield start


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Callable[[Mapping[str, Any]], Alertmanager]]:
    """`alertmanager(config)`: one that runs, with `.url`."""
    numbers = count(1)
    with ExitStack() as running:

        def start(config: Mapping[str, Any]) -> Alertmanager:
            return running.enter_context(alertmanager_running(tmp_path / f"alertmanager-{next(numbers)}", config))

        yield start
