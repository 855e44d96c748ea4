"""Who decides about the user's own rules. Apart from the others: who has no rules pays nothing for them.

They are asked after all others, for what they call may look at what the others have just decided. A process that has
no rules any more and finds open flows in its journal takes `Rules()`: each flow carries its own plan.
"""

from collections.abc import Sequence

from spotward.model.decision import Decider, Guard
from spotward.rules.flows import flows
from spotward.rules.guard import call_guard
from spotward.rules.rulebook import Rules


def rule_deciders(rules: Rules) -> Sequence[Decider]:
    """Those who carry out the user's rules."""
    return (flows(rules),)


def rule_guards(rules: Rules) -> Sequence[Guard]:
    """Those who guard the calls of plugins."""
    return (call_guard(rules),)
