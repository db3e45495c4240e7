"""The parts of `benchmarks/peers.py`: which systems, how they are measured, what is printed.

`workers` holds the scripts that run in the environments of the peers; nothing there imports this package.
"""
