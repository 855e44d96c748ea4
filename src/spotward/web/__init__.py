"""WHAT SPOTWARD SAYS OVER HTTP: health, readiness, metrics, traces.

Knows: how to read the World, an immutable value, and answer from it without a lock. A metric is a question put to the
World, so the exporters are collectors.
Must not know: how to change anything. Reading is all it does.
Read first: `view`, then `app`.
"""
