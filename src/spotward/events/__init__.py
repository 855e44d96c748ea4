"""READING THE WIRE: text in, Event out; and back, for the emulator.

Knows: the JSON that AWS puts on EventBridge and into a queue, the documents of the instance metadata service, and how
to say the same event as text again.
Must not know: where the text came from, what time it is, or what follows from the event. Text that cannot be read
raises `PayloadError`; the caller counts it, sets it aside and goes on.
Read first: `eventbridge`; then `imds`, and `imds_changes` for what is new in a state that repeats itself.
"""
