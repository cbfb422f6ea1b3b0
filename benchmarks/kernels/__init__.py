"""Hand-written JAX: the loss of every problem as somebody would write it without jNO."""
