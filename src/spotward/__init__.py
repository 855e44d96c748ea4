"""Spotward runs AWS Auto Scaling groups on EC2 Spot capacity as if it were on-demand.

An Event says what happened; the World is what we know; an Action is what we want done; a Page of the journal is what we
decided and why; an Undertaking is what we have begun and must finish. The rooms below this package and who may know
whom are drawn in ARCHITECTURE.md; import-linter holds them there.

Read first: `spotward.model`, then `spotward.engine`.
"""

__version__ = "0.1.0"
