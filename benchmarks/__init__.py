"""Benchmarks: jNO against hand-written JAX kernels for the same problems.  Run with ``python -m benchmarks``."""
