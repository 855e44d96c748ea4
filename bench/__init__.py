"""What Spotward costs: AWS calls, wall time, memory, CPU. `make bench` prints the figures that the README promises.

Every figure is measured against the embedded cloud on loopback, by the same code that runs in production.
"""
