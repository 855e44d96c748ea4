"""THE USER'S OWN DECISIONS: when this occurs, call these plugins, in this order.

Knows: what a rules file may say and how a mistake in it is shown (`parse`), which rules take an occurrence (`match`),
and how a flow goes on from one step to the next (`chain`). It reads the World and returns wishes to call plugins.
Must not know: how a plugin is called, which door an occurrence came in by, or the time beyond the event's own.
Read first: `rulebook` (what a rule is), then `intake` (what an occurrence begins), then `chain` (what a flow calls
for), then `flows` (the decider). `parse` and what is below it are needed only where a file is read.
"""
