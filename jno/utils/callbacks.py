"""The hook protocol of training: what the loop calls, and with which keywords."""

from __future__ import annotations

from typing import Any


class Callback:
    """Base class of training callbacks: override the hooks you need, the others do nothing.

    Hooks receive keywords only; take the ones you use and end the signature with `**kw`. Pass instances to
    `core.solve(callbacks=[...])`.

    Example:
        >>> from jno.utils.callbacks import Callback
        >>> class StopBelow(Callback):
        ...     def on_epoch_end(self, *, total_loss, **kw):
        ...         return total_loss < 1e-3
        >>> StopBelow().on_epoch_end(total_loss=1e-4, epoch=0)
        True
    """

    def on_solve_begin(self, **kw: Any) -> None:
        """Run once, before the first step of a `solve`.

        Keywords: `compiled_constraints_fn`, `n_constraints`, `batchsize`, `frozen`, `static`,
        `trainable`, `context`, `rng`, `min_consecutive`, `constraint_exprs`, `constraint_names`,
        `all_ops`, `domain`.
        """

    def on_before_update(self, **kw: Any) -> Any:
        """Run between the gradient and the optimizer's update of every step.

        Keywords: `grads`, `trainable`, `context`, `rng`, `epoch`.

        Returns:
            The gradients to use instead, or None to keep `grads`.
        """
        return None

    def on_epoch_end(self, **kw: Any) -> bool | None:
        """Run after every outer step.

        Keywords: `epoch`, `trainable`, `opt_states`, `rng`, `total_loss`, `individual_losses`, `log`,
        `context`.

        Returns:
            True to stop training; None or False to go on.
        """
        return None

    def on_training_end(self) -> None:
        """Run once, after the last step."""
