"""What the metadata service says of its machine beside its fate: what stands on what an agent tells the cluster.

Asked when something is told for the first time, and once: none of it changes while a machine runs but for a public
address. What cannot be had is left out, and asked for again the next time.
"""

from collections.abc import Mapping

from spotward.aws.imds_watch import Watch
from spotward.events.imds import WORD_MAX
from spotward.model.errors import Transient

DOCUMENTS = ("instance-life-cycle", "local-hostname", "local-ipv4", "public-hostname", "public-ipv4")
"""Under `/latest/meta-data/`."""

TEXT_MAX = 4 * WORD_MAX
"""A public hostname is the longest; nothing is longer than a domain name may be."""


class MachineFacts:
    """Answers with name → value, in the metadata service's own names."""

    def __init__(self, watch: Watch) -> None:
        """Asks nothing yet."""
        self._watch = watch
        self._known: dict[str, str | None] = {}
        """Document → what it says; None where there is none."""

    async def __call__(self) -> Mapping[str, str]:
        """All that is known by now. Raises nothing."""
        machine = self._watch.machine
        if machine is None:
            return {}
        await self._ask()
        told = {
            "account-id": machine.account,
            "availability-zone": machine.az,
            "instance-id": machine.instance_id,
            "instance-type": machine.instance_type,
            "region": machine.region,
            **self._known,
        }
        return {name: value for name, value in told.items() if value}

    async def _ask(self) -> None:
        try:
            for path in DOCUMENTS:
                if path not in self._known:
                    said = await self._watch.imds.document(path)
                    self._known[path] = said.strip()[:TEXT_MAX] if said is not None else None
        except Transient:
            return  # the watch tells of it; what is to be told does not wait
