"""Finished trials in a file, one JSON line each, to go on from after an interruption."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, final

from jno.utils import (
    WriterLock,
    append_whole,
    get_limits,
    get_logger,
    is_integer,
    parsed_json,
    shown_path,
    user_path,
    write_atomically,
)

from ._trial import Outcome, Trial

_FORMAT = 1


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
        lines = _complete_lines(self.path)
        if not lines:
            write_atomically(
                self.path, _line({"jno_sweep": _FORMAT, "in_flight": in_flight, "description": description})
            )
            return in_flight
        in_flight = self._check(self._parsed(0, lines[0]), description)
        for number, line in enumerate(lines[1:], 1):
            outcome = self._outcome(number, line)
            self._outcomes[outcome.number] = outcome
        return in_flight

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of finished trials."""
        return len(self._outcomes)

    def outcome_of(self, trial: Trial) -> Outcome | None:
        """What the journal says about a trial; None when it has not finished.

        Raises:
            ValueError: the trial of that number was another one.
        """
        outcome = self._outcomes.get(trial.number)
        if outcome is not None and _text(outcome.labels) != _text(trial.labels):
            raise ValueError(
                f"{self.name}: trial {trial.number} was {_text(outcome.labels)}, this sweep tries "
                f"{_text(trial.labels)}; the optimizer or its version has changed, or lines are missing: use another "
                "journal="
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

    def _check(self, head: object, description: Mapping[str, Any]) -> int:
        if not isinstance(head, dict) or head.get("jno_sweep") != _FORMAT:
            raise ValueError(f"{self.name} is no journal of a sweep: its first line is {_shortened(_text(head))}")
        recorded, in_flight = head.get("description"), head.get("in_flight")
        if not isinstance(recorded, dict) or not is_integer(in_flight, 1):
            raise ValueError(f"{self.name}, line 1 is damaged: it lacks the description of the sweep")
        different = [
            f"{name} was {_shortened(_text(recorded.get(name)))}, is {_shortened(_text(description.get(name)))}"
            for name in dict.fromkeys([*recorded, *description])
            if _text(recorded.get(name)) != _text(description.get(name))
        ]
        if different:
            raise ValueError(
                f"{self.name} is the journal of another sweep: {'; '.join(different)}. Use another journal=, or remove "
                "the file"
            )
        return in_flight

    def _outcome(self, number: int, line: str) -> Outcome:
        entry = self._parsed(number, line)
        names = {field.name for field in dataclasses.fields(Outcome)}
        if not isinstance(entry, dict) or set(entry) != names or not _has_types(entry):
            raise ValueError(f"{self.name}, line {number + 1} is no finished trial: {_shortened(line)}")
        # JSON has no numbers as keys
        return Outcome(**{**entry, "rungs": {int(rung): loss for rung, loss in entry["rungs"].items()}})

    def _parsed(self, number: int, line: str) -> Any:
        limits, origin = get_limits(), f"{self.name}, line {number + 1}"
        limits.check("text_bytes", len(line), origin, f"is text of {len(line):,} characters")
        try:
            return parsed_json(line, origin, limits)
        except json.JSONDecodeError as error:
            raise ValueError(f"{self.name}, line {number + 1} is damaged: {_shortened(line)} ({error})") from error


def _complete_lines(path: Path) -> list[str]:
    """The lines of a file that end; the rest of the last one is cut off, for the next line to begin there."""
    if not path.exists():
        return []
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if len(complete) < len(content):
        os.truncate(path, len(complete))
    try:
        return complete.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown_path(path)} is damaged, or no journal of a sweep: {error}") from error


def _has_types(entry: Mapping[str, Any]) -> bool:
    """Whether the values of a finished trial are of the types of `Outcome`."""
    number = int | float | None
    texts = all(isinstance(entry[name], str | None) for name in ("error", "traceback"))
    numbers = all(isinstance(entry[name], number) for name in ("objective", "seconds", "pruned_at"))
    rungs = entry["rungs"]
    if not (texts and numbers and isinstance(entry["labels"], dict) and isinstance(rungs, dict)):
        return False
    fits = all(rung.isdecimal() and isinstance(loss, number) for rung, loss in rungs.items())
    return fits and is_integer(entry["number"], 0) and entry["seconds"] is not None


def _line(entry: Mapping[str, Any]) -> bytes:
    return f"{_text(entry)}\n".encode()


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
