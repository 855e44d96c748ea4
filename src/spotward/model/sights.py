"""How far a look at a group can be believed.

AWS's answers are eventually consistent, looks overlap, and our own deeds change what is looked at. So it is kept when
the look was begun by which a group is known, when a deed of ours on it was last acknowledged, and who came and went by
our doing; a look that may be older than that tells nothing.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

import math
from dataclasses import dataclass, field, replace

from rpds import HashTrieMap

from spotward.model.action import Action
from spotward.model.cloud import Group, GroupId
from spotward.model.effect import SETTLING_SECONDS, Moves

IN_HAND_SECONDS = 300.0
"""For so long after our last deed on a group a new desired capacity may have come in between our own steps."""

LOOK_SECONDS_MAX = 900.0
"""No look takes longer, for a question is given up by then. So one that seems to have been begun earlier than that
before a newer one was begun when the clock was another, and is believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sights:
    """Of each group: when we looked, and what we did."""

    seen: HashTrieMap[GroupId, float] = field(default_factory=HashTrieMap)
    """Group → when the look was begun by which we know it."""
    touched: HashTrieMap[GroupId, float] = field(default_factory=HashTrieMap)
    """Group → when a deed of ours on it was last acknowledged: a look begun earlier is stale."""
    moves: HashTrieMap[GroupId, Moves] = field(default_factory=HashTrieMap)
    """Group → who came and went by our doing, until it had time to show."""

    def is_fresh(self, subject: GroupId) -> bool:
        """Do we know the group by a look that was begun after our last deed on it?"""
        return self.seen.get(subject, -math.inf) >= self.touched.get(subject, -math.inf)

    def precedes_a_deed(self, subject: GroupId, as_of: float) -> bool:
        """Was a look begun before the outcome of our last deed was known?"""
        return as_of < self.touched.get(subject, -math.inf)

    def overtaken(self, subject: GroupId, as_of: float) -> bool:
        """Was a look that was begun later answered earlier? One group is seen sooner than a region of thousands."""
        return 0 < self.seen.get(subject, -math.inf) - as_of <= LOOK_SECONDS_MAX

    def lacks_a_deed(self, seen: Group, time: float) -> bool:
        """Does a look not show yet what a deed did that was acknowledged a moment ago?"""
        recent = time - self.touched.get(seen.id, -math.inf) <= SETTLING_SECONDS
        return recent and self.moves.get(seen.id, Moves()).are_missing_in(seen)

    def has_moved_lately(self, subject: GroupId, time: float) -> bool:
        """Did somebody join or leave by our doing a moment ago?"""
        moves = self.moves.get(subject, Moves())
        recent = time - self.touched.get(subject, -math.inf) <= IN_HAND_SECONDS
        return recent and bool(moves.joined or moves.retired)

    def after_look(self, subject: GroupId, as_of: float) -> Sights:
        """With a look that is believed."""
        return replace(self, seen=self.seen.insert(subject, as_of))

    def after_deed(self, subject: GroupId, deed: Action, time: float) -> Sights:
        """With a deed that was acknowledged."""
        rested = time - self.touched.get(subject, -math.inf) > SETTLING_SECONDS
        moves = Moves() if rested else self.moves.get(subject, Moves())
        return replace(self.after_failure(subject, time), moves=self.moves.insert(subject, moves.after(deed)))

    def after_failure(self, subject: GroupId, time: float) -> Sights:
        """With a deed that failed: what was seen before says nothing of what it may have done."""
        return replace(self, touched=self.touched.insert(subject, time))

    def without(self, subject: GroupId) -> Sights:
        """Without a group that is gone."""
        return Sights(
            seen=self.seen.discard(subject), touched=self.touched.discard(subject), moves=self.moves.discard(subject)
        )
