"""NOUNS: the frozen values that every other room shares.

Knows: what happened (Event), what we know (World), what we want (Action), what we decided (Page), what we have begun
(Undertaking), and the cloud's own nouns: instances, groups, offers. Values check themselves when they are built.
Must not know: anything of ours, and no clock, chance or I/O. This is the bottom of the house.
Read first: `event`, then `world`. `errors` opens with the tree of everything that can go wrong.
"""
