"""What callbacks receive after outer steps: tracked values, and the states that measurements belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._state import TrainState


class Measured:
    """Values since the last outer step ended, and the states before the updates that followed them.

    Args:
        names: of the trackers, by number.
        records: whether states are recorded.
    """

    def __init__(self, names: Sequence[str], *, records: bool) -> None:
        self._names = list(names)
        self._records = records
        self.clear()

    def clear(self) -> None:
        """A new outer step begins."""
        self.tracked: dict[str, Any] = {}
        self._states: dict[str | None, TrainState] = {}

    def note(self, values: dict[int, Any], state: TrainState) -> None:
        """Before a device call: the values of trackers by number, and the state."""
        self.tracked.update({self._names[number]: value for number, value in values.items()})
        if self._records:
            self._states.update(dict.fromkeys([None, *(self._names[number] for number in values)], state))

    def state(self, tracker: str | None = None) -> TrainState:
        """The state that the losses of the last epoch belong to, or the value of a tracker.

        Raises:
            ValueError: no callback needs measured states, or the tracker was not evaluated.
        """
        if tracker not in self._states:
            raise ValueError(
                f"measured({'' if tracker is None else repr(tracker)}): no such state was kept: set needs_measured = "
                "True on the callback, and ask for trackers that are in tracked"
            )
        return self._states[tracker]
