from .blocks import DownBlock as DownBlock, UpBlock as UpBlock
from .config import CONDITIONS as CONDITIONS, FREQUENCIES as FREQUENCIES, MAX_PARAMETERS as MAX_PARAMETERS
from .diffusers import from_diffusers as from_diffusers, to_diffusers as to_diffusers
from .embedding import SinusoidalEmbedding as SinusoidalEmbedding
from .memory import keep_memory as keep_memory
from .presets import PRESETS as PRESETS, preset as preset
from .residual import ResidualBlock as ResidualBlock
from .unet import UNet as UNet
