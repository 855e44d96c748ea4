"""What was counted since the process began, a module for each room: deeds, drains, swaps, flows, notices, savings.

Each listens to the steps that are stored, with the World before them; what stands in a World need not be counted, and
is asked of it when somebody looks. Whatever is a label is a word of our own, a name of the operator's, or is counted
within a limit (`bounded`): nothing that an event brings along can make labels without end.
"""
