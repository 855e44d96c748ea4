"""The store in the cluster keeps the contract of every store, against a real API server and with the published role."""

from pathlib import Path

import pytest

from spotward.engine.journal_rows import Retention
from spotward.engine.ports import Store
from tests.cluster.control_plane import ControlPlane
from tests.cluster.room import furnish, journal_of, open_store
from tests.engine.store_contract import StoreContract
from tests.hand_clock import HandClock


class TestKubeStore(StoreContract):
    @pytest.fixture(autouse=True)
    def room(self, control_plane: ControlPlane) -> None:
        furnish(control_plane)
        self.control_plane = control_plane

    def open_store(self, place: Path, clock: HandClock, retention: Retention | None = None) -> Store:
        name = journal_of(place)
        return open_store(self.control_plane, name, clock=clock, stopwatch=clock.now, retention=retention)
