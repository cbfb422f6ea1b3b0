"""Callbacks: the protocol of training's hooks, the events they are told, and checkpoints."""

from ._callback import Callback as Callback
from ._checkpoint_callback import CheckpointCallback as CheckpointCallback
from ._events import BeforeUpdate as BeforeUpdate
from ._events import EpochEnd as EpochEnd
from ._events import Event as Event
from ._events import SolveBegin as SolveBegin
from ._events import SolveEnd as SolveEnd
from ._events import TrainingEnd as TrainingEnd

__all__ = [
    "BeforeUpdate",
    "Callback",
    "CheckpointCallback",
    "EpochEnd",
    "Event",
    "SolveBegin",
    "SolveEnd",
    "TrainingEnd",
]
