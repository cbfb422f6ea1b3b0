"""Search over architectures and training options: what ``core.sweep`` runs on."""

from jno.architectures import Arch as Arch
from jno.architectures import ArchSpace as ArchSpace
from jno.trace import Choice as Choice

from ._device_config import DeviceConfig as DeviceConfig
from ._history import TuningHistory as TuningHistory
from ._journal_lines import read_journal as read_journal
from ._search import Resources as Resources
from ._sweep import SweepResult as SweepResult
from ._sweep import sweep as sweep
from ._trial import Outcome as Outcome
from ._trial import Trial as Trial
from ._trial import best_of as best_of

__all__ = [
    "Arch",
    "ArchSpace",
    "Choice",
    "DeviceConfig",
    "Outcome",
    "Resources",
    "SweepResult",
    "Trial",
    "TuningHistory",
    "sweep",
]
