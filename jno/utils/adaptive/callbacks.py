"""The names of `jno.utils.callbacks`, under a path that some programs import them from."""

from jno.utils.callbacks import Callback as Callback
from jno.utils.callbacks import CheckpointCallback as CheckpointCallback

__all__ = ["Callback", "CheckpointCallback"]
