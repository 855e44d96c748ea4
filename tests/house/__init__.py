"""The house rules, as tests: who may import whom, how files are named, whether the documents still tell the truth."""
