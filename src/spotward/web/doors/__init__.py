"""WHERE OTHERS TELL US THINGS: Prometheus, Alertmanager, CloudEvents, EventBridge, over HTTP.

Knows: who may speak, in which forms, how much, and that "heard" is said only once it is stored. Must not know: what is
decided about it. Read first: `letterbox`, then `app`.
"""
