"""Finished trials in a file, one JSON line each, to go on from after an interruption."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping
from typing import Any, final

from jno.utils import (
    WriterLock,
    append_whole,
    get_logger,
    shown_path,
    user_path,
    write_atomically,
)

from ._journal_lines import (
    FORMAT,
    HEAD,
    JournalHead,
    complete_length,
    complete_lines,
    is_torn_head,
    json_text,
    parsed_head,
    parsed_outcome,
    shortened,
)
from ._trial import Outcome, Trial


@final
class Journal:
    """The file of one sweep: a first line that describes it, then one line for each finished trial.

    A line counts when it is complete: what a crash cut off is removed.  Failed trials are finished ones.  One sweep
    has the file at a time.  When the disk is full the sweep goes on: it is said once, and the trials that are not
    written are written with the next one for which there is space.

    Args:
        path: the file; missing directories are created.  An existing journal is resumed.
        description: what the sweep is, as JSON values.
        in_flight: how many trials are proposed before the first is reported; that of an existing journal counts,
            because the trials depend on it.

    Raises:
        ValueError: the file is the journal of another sweep (naming what differs), damaged or no journal.
        RuntimeError: another sweep is writing it; the message says in which process, on which machine, since when.
        OSError: it cannot be read or begun.
    """

    def __init__(self, path: str | os.PathLike[str], description: Mapping[str, Any], in_flight: int) -> None:
        self.path = user_path(path)
        self.name = shown_path(self.path)
        self._outcomes: dict[int, Outcome] = {}
        self._unwritten: list[Outcome] = []
        self._warned = False
        self._lock = WriterLock(self.path.with_name(f".{self.path.name}.lock"))
        if not self._lock.acquire():
            raise RuntimeError(
                f"the journal {self.name} is being written {self._lock.owner}: use another journal=, or wait until "
                "that sweep ends"
            )
        try:
            self.in_flight = self._read_or_begun(description, in_flight)
        except BaseException:
            self._lock.release()
            raise

    def _read_or_begun(self, description: Mapping[str, Any], in_flight: int) -> int:
        """How many trials are proposed before the first is reported."""
        content = self.path.read_bytes() if self.path.exists() else b""
        lines = complete_lines(self.path, content)
        if not lines:
            if not is_torn_head(content):
                raise ValueError(f"{self.name} is no journal of a sweep: it has no complete line")
            begin = {HEAD: FORMAT, "in_flight": in_flight, "description": description}
            write_atomically(self.path, _line(begin))
            return in_flight
        in_flight = self._check(parsed_head(self.name, lines[0]), description)
        for number, line in enumerate(lines[1:], 1):
            outcome = parsed_outcome(self.name, number, line)
            self._outcomes[outcome.number] = outcome
        if complete_length(content) < len(content):  # only now it is known to be a journal
            os.truncate(self.path, complete_length(content))
        return in_flight

    def __len__(self) -> int:
        """Number of finished trials."""
        return len(self._outcomes)

    def outcome_of(self, trial: Trial) -> Outcome | None:
        """What the journal says about a trial; None when it has not finished.

        Raises:
            ValueError: the trial of that number was another one.
        """
        outcome = self._outcomes.get(trial.number)
        if outcome is not None and json_text(outcome.labels) != json_text(trial.labels):
            raise ValueError(
                f"{self.name}: trial {trial.number} was {json_text(outcome.labels)}, this sweep tries "
                f"{json_text(trial.labels)}; the optimizer or its version has changed, or lines are missing: use "
                "another journal="
            )
        return outcome

    def add(self, outcome: Outcome) -> None:
        """Write a finished trial, and those before it that could not be written."""
        self._outcomes[outcome.number] = outcome
        self._unwritten.append(outcome)
        self._write()

    def close(self) -> None:
        """Write what could not be written before, if there is space now, and let others have the file."""
        if self._unwritten:
            self._write()
        if self._unwritten:
            numbers = ", ".join(str(outcome.number) for outcome in self._unwritten)
            self._say(f"{self.name} lacks the finished trials {numbers}: the next sweep with it will run them again")
        self._lock.release()

    def _write(self) -> None:
        lines = b"".join(_line(dataclasses.asdict(outcome)) for outcome in self._unwritten)
        try:
            append_whole(self.path, lines, to_disk=True)
        except OSError as error:
            if not self._warned:
                self._say(
                    f"{self.name} cannot be written ({error.strerror}): the sweep goes on, and its finished trials are "
                    "written when there is space again. Free the disk"
                )
            self._warned = True
        else:
            self._unwritten.clear()
            self._warned = False

    def _say(self, message: str) -> None:
        get_logger().warning(message)
        warnings.warn(message, stacklevel=2)

    def _check(self, head: JournalHead, description: Mapping[str, Any]) -> int:
        recorded = head.description
        different = [
            f"{name} was {shortened(json_text(recorded.get(name)))}, is {shortened(json_text(description.get(name)))}"
            for name in dict.fromkeys([*recorded, *description])
            if json_text(recorded.get(name)) != json_text(description.get(name))
        ]
        if different:
            raise ValueError(
                f"{self.name} is the journal of another sweep: {'; '.join(different)}. Use another journal=, or remove "
                "the file"
            )
        return head.in_flight


def _line(entry: Mapping[str, Any]) -> bytes:
    return f"{json_text(entry)}\n".encode()
