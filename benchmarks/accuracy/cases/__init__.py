"""One file for each problem: its statement, its reference and its settings, fixed before the first recorded run."""
