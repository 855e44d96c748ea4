"""Tests against a real control plane, run by `make cluster-test` alone: see `tests/cluster/conftest.py`."""
