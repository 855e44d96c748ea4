"""The stage of tests/cli, for journeys that take longer."""

from tests.cli.conftest import alone, cloud, region, scenery, spotward

__all__ = ["alone", "cloud", "region", "scenery", "spotward"]
