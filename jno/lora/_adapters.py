"""The adapters by name."""

from __future__ import annotations

from ._dora import DoRAConv, DoRALinear
from ._ia3 import IA3Conv, IA3Linear
from ._lokr import LoKrConv, LoKrLinear
from ._lora import LoRAConv, LoRALinear
from ._lorafa import LoRAFAConv, LoRAFALinear
from ._loraxs import LoRAXSConv, LoRAXSLinear
from ._milora import MiLoRAConv, MiLoRALinear
from ._oft import OFTConv, OFTLinear
from ._pissa import PiSSAConv, PiSSALinear
from ._rslora import rsLoRAConv, rsLoRALinear
from ._vera import VeRAConv, VeRALinear
from ._wrapper import LoRAWrapper

ADAPTERS: dict[str, tuple[type[LoRAWrapper], type[LoRAWrapper]]] = {
    "LoRA": (LoRALinear, LoRAConv),
    "rsLoRA": (rsLoRALinear, rsLoRAConv),
    "LoRAFA": (LoRAFALinear, LoRAFAConv),
    "DoRA": (DoRALinear, DoRAConv),
    "PiSSA": (PiSSALinear, PiSSAConv),
    "MiLoRA": (MiLoRALinear, MiLoRAConv),
    "LoRAXS": (LoRAXSLinear, LoRAXSConv),
    "VeRA": (VeRALinear, VeRAConv),
    "IA3": (IA3Linear, IA3Conv),
    "LoKr": (LoKrLinear, LoKrConv),
    "OFT": (OFTLinear, OFTConv),
}
