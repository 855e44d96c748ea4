"""QUEUES: what SQS does with messages, in memory.

Knows: when a message can be received, by whom it is hidden, in which order, how often, and when it is too often.
Must not know: HTTP, moto, regions, groups. Who calls is somebody else's business, and so is how an answer is written.
Read first: `queue`, then `mailbox`; `sqs` has the operations.
"""
