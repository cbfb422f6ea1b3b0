"""How far training has come: a bar on a terminal."""

from __future__ import annotations

from types import TracebackType

import numpy as np
from jaxtyping import Float

from jno.utils import ProgressBar, get_logger


class TrainingBar:
    """The bar of one solve call, which stays on the terminal when training is over.

    Where the output is not a terminal, the loggers' lines are the progress; only the compilation is announced here.

    Args:
        epochs: planned number.
        compiles: whether the first epochs wait for the compiler.
    """

    def __init__(self, epochs: int, *, compiles: bool) -> None:
        self._compiles = compiles
        self._completed = 0
        self._bar = ProgressBar(epochs, "compiling" if compiles else "training", state="loss -")

    def __enter__(self) -> TrainingBar:
        self._bar.__enter__()
        if self._compiles and not self._bar.visible:
            get_logger().info("compiling")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def advance(self, losses: Float[np.ndarray, "E C"]) -> None:
        """After some epochs with these losses."""
        if len(losses):
            self._completed += len(losses)
            self._bar.update(self._completed, state=f"loss {losses[-1].mean():.3e}", description="training")
