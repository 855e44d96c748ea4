"""All regions of the account, each made when it is first asked for."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping

from spotward.emulator import moto_queues
from spotward.emulator.queues.sqs import Sqs
from spotward.emulator.site import Circumstances, Site, make_sqs
from spotward.sim.scenario import Shock


class Sites:
    """Safe for threads."""

    def __init__(self, circumstances: Circumstances) -> None:
        """Empty at first; moto's services are led to our queues."""
        self._circumstances = dataclasses.replace(circumstances, sqs_of=self.sqs)
        self._lock = threading.RLock()
        self._sites: dict[str, Site] = {}
        self._sqs: dict[str, Sqs] = {}
        moto_queues.plant(circumstances.account, self.sqs)

    def site(self, region: str) -> Site:
        """A region."""
        with self._lock:
            if region not in self._sites:
                self._sites[region] = Site(region, self._circumstances)
            return self._sites[region]

    def sqs(self, region: str) -> Sqs:
        """The queues of a region."""
        with self._lock:
            if region not in self._sqs:
                self._sqs[region] = make_sqs(region, self._circumstances)
            return self._sqs[region]

    def made(self) -> Mapping[str, Site]:
        """The regions so far."""
        with self._lock:
            return dict(self._sites)

    def tick(self) -> float | None:
        """Lets happen what is due everywhere; answers when something is due next, in virtual time."""
        times = [site.tick() for site in self.made().values()]
        return min((time for time in times if time is not None), default=None)

    def shock(self, shock: Shock) -> None:
        """Scripts one more for every region: those that are, and those that will be."""
        with self._lock:
            scenario = self._circumstances.scenario
            scripted = dataclasses.replace(scenario, shocks=(*scenario.shocks, shock))
            self._circumstances = dataclasses.replace(self._circumstances, scenario=scripted)
            sites = list(self._sites.values())
        for site in sites:
            site.shock(shock)

    def close(self) -> None:
        """Sends away all who wait for a message."""
        with self._lock:
            queues = list(self._sqs.values())
        for sqs in queues:
            sqs.close()
