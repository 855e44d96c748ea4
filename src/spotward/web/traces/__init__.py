"""Traces, from an event to what came of it: one for each chain that an event begins.

`event` → `page` (what was decided) → each deed and question → the event that answers it → the next page ... `chain`
listens to the steps that are stored and makes spans of them, as values; `export` gives them to an OpenTelemetry
collector, in a thread of its own, and drops them rather than hold anything up. The core knows nothing of it.
"""
