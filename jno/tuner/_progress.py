"""How far a sweep has come: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from jno.utils import ProgressBar, get_logger

from ._trial import Outcome, best_of


class Progress:
    """Says what has been tried, and the best so far.

    Where the output is not a terminal there are about ten lines, and one for each failed trial.

    Args:
        total: number of trials.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._every = max(1, total // 10)
        self._outcomes: list[Outcome] = []
        self._bar = ProgressBar(total, "sweep")

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def add(self, outcome: Outcome, *, replayed: bool) -> None:
        """After a trial."""
        self._outcomes.append(outcome)
        done, state = len(self._outcomes), self.state()
        if outcome.error is not None and not replayed:
            first_line = outcome.error.partition("\n")[0]
            get_logger().warning(f"trial {outcome.number} failed: {first_line}")
        self._bar.update(done, state=state)
        if not self._bar.visible and not replayed and (done % self._every == 0 or done == self._total):
            get_logger().info(f"{done} of {self._total} trials  {state}")

    def state(self) -> str:
        """What has come out so far, in words."""
        failed = sum(outcome.error is not None for outcome in self._outcomes)
        pruned = sum(outcome.pruned_at is not None for outcome in self._outcomes)
        best = best_of(self._outcomes)
        parts = ["no result yet" if best is None else f"best {best.objective:.3e} (trial {best.number})"]
        parts += [f"{failed} failed"] * bool(failed) + [f"{pruned} pruned"] * bool(pruned)
        return "  ".join(parts)
