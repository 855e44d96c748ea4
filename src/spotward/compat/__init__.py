"""THE WORDS OF OTHER TOOLS, IN OURS: what somebody wrote for the Node Termination Handler, as settings of Spotward.

Knows: every option of that tool (`nth_options`, a table), how its values are read, what each becomes here or why it
cannot, and the values of its Helm chart. Text in, settings and findings out.
Must not know: the settings themselves, which it only names; files, the environment, the command line. `cli` brings what
was said and uses what comes out.
Read first: `option`, then the table in `nth_options`.
"""
