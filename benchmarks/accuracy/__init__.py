"""How exact the library is, problem by problem, within a fixed processor time: ``python -m benchmarks.accuracy``."""
