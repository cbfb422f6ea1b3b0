"""The hook protocol of training: what the loop calls, and with which keywords."""

from __future__ import annotations

from typing import Any


class Callback:
    """Base class of training callbacks: override the hooks you need; all hooks of this class do nothing.

    Hooks receive keywords only; take the ones you use and end the signature with `**kw`. Pass instances to
    `core.solve(callbacks=[...])`.

    Example:
        >>> from jno.utils.callbacks import Callback
        >>> class StopBelow(Callback):
        ...     def on_epoch_end(self, *, total_loss, **kw):
        ...         return total_loss < 1e-3
        >>> StopBelow().on_epoch_end(total_loss=1e-4, epoch=0)
        True

    Attributes:
        needs_measured: whether it calls ``measured``, see `on_epoch_end`; training then keeps these states.
        restores_weights: whether `on_solve_end` may change the weights.
    """

    needs_measured: bool = False
    restores_weights: bool = False

    def on_solve_begin(self, **kw: Any) -> None:
        """Run once, before the first step of a `solve`.

        Keywords: `compiled_constraints_fn`, `n_constraints`, `batchsize`, `frozen`, `static`,
        `trainable`, `context`, `rng`, `epoch`, `min_consecutive`, `constraint_exprs`, `constraint_names`,
        `tracker_names`, `all_ops`, `domain`.
        """

    def on_before_update(self, **kw: Any) -> Any:
        """Run between the gradient and the optimizer's update of every step.

        Keywords: `grads`, `trainable`, `context`, `rng`, `epoch`, and `value_fn`, the loss of this step as a function
        of leaves like `trainable`; for constraints that are mean squares, `value_fn.residuals(leaves)` is the vector
        whose squares add up to it.

        Returns:
            The gradients to use instead, or None to keep `grads`.
        """
        return None

    def on_epoch_end(self, **kw: Any) -> bool | None:
        """Run after every outer step.

        The losses of an epoch are those before its update, `trainable` and `opt_states` are after it. Keywords:
        `epoch`, `trainable`, `opt_states`, `rng`, `total_loss`, `individual_losses`, `log`, `context`; `tracked`, the
        values, by label, of trackers that were evaluated since the last call; `measured`, a function that gives the
        state of training to which the losses belong, or with the label of a tracker that of its value; and
        `snapshot`, a function that gives all that a later run needs to go on from now, or from a state of
        `measured`, as a dict of arrays and one of other facts.

        Returns:
            True to stop training; None or False to go on.
        """
        return None

    def on_solve_end(self, **kw: Any) -> Any:
        """Run once, before the weights are written to the models, however training ended.

        Keywords: `epoch`, the number of epochs that are done, and `log`.

        Returns:
            A state that `measured` gave, whose weights and optimizer states are used instead of the last; or None.
        """
        return None

    def on_training_end(self) -> None:
        """Run once, after the last step."""
