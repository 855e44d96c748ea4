"""AWS, SEEN AND TOUCHED.

Knows: boto3; how to read groups, instances, offerings, prices and queues in few calls, how to carry out an Action, and
how each of AWS's errors translates into ours (try again, or trying again cannot help).
Must not know: why something is wanted. It observes and acts; it never decides.
Read first: `session`, then `fleet`.
"""
