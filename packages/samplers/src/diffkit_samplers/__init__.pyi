"""The public names of diffkit_samplers: the one list, from which `__init__.py` loads a name when it is asked for."""

from .ddim import ddim as ddim, ddpm as ddpm, euler_ancestral as euler_ancestral
from .denoise import Denoise as Denoise, Denoiser as Denoiser, Estimate as Estimate, denoiser as denoiser
from .dpmpp import dpmpp_2m as dpmpp_2m, dpmpp_2m_sde as dpmpp_2m_sde
from .encode import encode as encode
from .finite import NotFiniteError as NotFiniteError
from .grids import SPACINGS as SPACINGS, grid as grid
from .guidance import guide as guide
from .heun import heun as heun
from .latents import slerp as slerp
from .loop import Move as Move, State as State, Update as Update
from .noise import Source as Source, seeded as seeded
from .resampling import resample as resample
from .steps import step as step
from .trajectory import METHODS as METHODS, trajectory as trajectory
from .wrappers import clip as clip, dynamic_threshold as dynamic_threshold, fixed_large as fixed_large, inpaint as inpaint
