"""Floor 0: settings, logging, AD defaults, files, training history; imports nothing else from jNO.

`jno.utils.statistics` stays the module (the class is `jno.utils.statistics.statistics`), so the class is not
re-exported here.
"""

from jno.utils._checkpoints import CheckpointFolder as CheckpointFolder
from jno.utils._checkpoints import orbax as orbax
from jno.utils._checks import argument_text as argument_text
from jno.utils._checks import is_integer as is_integer
from jno.utils._checks import is_integral as is_integral
from jno.utils._checks import is_number as is_number
from jno.utils._checks import quoted as quoted
from jno.utils._checks import refusal as refusal
from jno.utils._checks import require_bool as require_bool
from jno.utils._checks import require_callable as require_callable
from jno.utils._checks import require_int as require_int
from jno.utils._checks import require_nonnegative as require_nonnegative
from jno.utils._checks import require_number as require_number
from jno.utils._checks import require_one_of as require_one_of
from jno.utils._checks import require_positive as require_positive
from jno.utils._config import get_config as get_config
from jno.utils._config import get_config_path as get_config_path
from jno.utils._config import get_network_seed as get_network_seed
from jno.utils._config import get_rsa_private_key as get_rsa_private_key
from jno.utils._config import get_rsa_public_key as get_rsa_public_key
from jno.utils._config import get_runs_base_dir as get_runs_base_dir
from jno.utils._config import get_seed as get_seed
from jno.utils._config import get_setting as get_setting
from jno.utils._config import get_stop_on_nonfinite as get_stop_on_nonfinite
from jno.utils._config import load_config as load_config
from jno.utils._config import set_network_seed as set_network_seed
from jno.utils._documentation import SharedDocumentation as SharedDocumentation
from jno.utils._jax_versions import InconclusiveDimensionOperation as InconclusiveDimensionOperation
from jno.utils._jax_versions import bind_equation as bind_equation
from jno.utils._jax_versions import scan_counts as scan_counts
from jno.utils._jaxprs import equations_within as equations_within
from jno.utils._jaxprs import evaluate_jaxpr as evaluate_jaxpr
from jno.utils._jaxprs import shape_of as shape_of
from jno.utils._logger import Logger as Logger
from jno.utils._logger import console_is_quiet as console_is_quiet
from jno.utils._logger import get_logger as get_logger
from jno.utils._logger import init_default_logger as init_default_logger
from jno.utils._logger import quiet_console as quiet_console
from jno.utils._monitor import TOTAL as TOTAL
from jno.utils._monitor import Monitor as Monitor
from jno.utils._paths import text_output as text_output
from jno.utils._paths import user_path as user_path
from jno.utils._pickling import PROCESS as PROCESS
from jno.utils._pickling import dumps as dumps
from jno.utils._progress_bar import ProgressBar as ProgressBar
from jno.utils._serialization import load as load
from jno.utils._serialization import save as save
from jno.utils._serialization import write_atomically as write_atomically
from jno.utils._signatures import SignatureError as SignatureError
from jno.utils._types import Axes as Axes
from jno.utils._types import Figure as Figure
from jno.utils._types import Key as Key
from jno.utils.callbacks import BeforeUpdate as BeforeUpdate
from jno.utils.callbacks import Callback as Callback
from jno.utils.callbacks import CheckpointCallback as CheckpointCallback
from jno.utils.callbacks import EpochEnd as EpochEnd
from jno.utils.callbacks import Event as Event
from jno.utils.callbacks import SolveBegin as SolveBegin
from jno.utils.callbacks import SolveEnd as SolveEnd
from jno.utils.callbacks import TrainingEnd as TrainingEnd
