"""`jno.utils.adaptive.callbacks`: a second path to `jno.utils.callbacks`."""
