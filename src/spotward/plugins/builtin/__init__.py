"""THE PLUGINS THAT COME ALONG, each made with the same SDK as anybody's, and each a server of its own if wanted.

Knows: how to tell people, run an allowed command, call an allowed address, mark a moment in Grafana. Must not know:
when; that is in the rules.
Read first: `words`, then `notify`.
"""
