"""Parameter-efficient fine-tuning: low-rank and related adapters of linear layers and convolutions."""

from ._adapters import ADAPTERS as ADAPTERS
from ._apply import apply_lora as apply_lora
from ._dora import DoRAConv as DoRAConv
from ._dora import DoRALinear as DoRALinear
from ._filters import adapter_count as adapter_count
from ._filters import adapter_settings as adapter_settings
from ._filters import is_wrapped as is_wrapped
from ._filters import lora_trainable_filter as lora_trainable_filter
from ._filters import merge_lora as merge_lora
from ._filters import partial_lora_trainable_filter as partial_lora_trainable_filter
from ._ia3 import IA3Conv as IA3Conv
from ._ia3 import IA3Linear as IA3Linear
from ._layers import linear_layers as linear_layers
from ._lokr import LoKrConv as LoKrConv
from ._lokr import LoKrLinear as LoKrLinear
from ._lora import LoRAConv as LoRAConv
from ._lora import LoRALinear as LoRALinear
from ._lorafa import LoRAFAConv as LoRAFAConv
from ._lorafa import LoRAFALinear as LoRAFALinear
from ._loraxs import LoRAXSConv as LoRAXSConv
from ._loraxs import LoRAXSLinear as LoRAXSLinear
from ._milora import MiLoRAConv as MiLoRAConv
from ._milora import MiLoRALinear as MiLoRALinear
from ._oft import OFTConv as OFTConv
from ._oft import OFTLinear as OFTLinear
from ._pissa import PiSSAConv as PiSSAConv
from ._pissa import PiSSALinear as PiSSALinear
from ._rslora import rsLoRAConv as rsLoRAConv
from ._rslora import rsLoRALinear as rsLoRALinear
from ._vera import VeRAConv as VeRAConv
from ._vera import VeRALinear as VeRALinear
from ._wrapper import LoRAWrapper as LoRAWrapper

__all__ = [
    "ADAPTERS",
    "DoRAConv",
    "DoRALinear",
    "IA3Conv",
    "IA3Linear",
    "LoKrConv",
    "LoKrLinear",
    "LoRAConv",
    "LoRAFAConv",
    "LoRAFALinear",
    "LoRALinear",
    "LoRAWrapper",
    "LoRAXSConv",
    "LoRAXSLinear",
    "MiLoRAConv",
    "MiLoRALinear",
    "OFTConv",
    "OFTLinear",
    "PiSSAConv",
    "PiSSALinear",
    "VeRAConv",
    "VeRALinear",
    "adapter_count",
    "apply_lora",
    "lora_trainable_filter",
    "merge_lora",
    "partial_lora_trainable_filter",
    "rsLoRAConv",
    "rsLoRALinear",
]
