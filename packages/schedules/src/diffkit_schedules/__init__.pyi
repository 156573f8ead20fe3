"""The public names of diffkit_schedules: the one list, from which `__init__.py` loads a name when it is asked for."""

from .arrays import (
    Array as Array,
    as_array_of as as_array_of,
    combine as combine,
    filled as filled,
    is_torch as is_torch,
    namespace as namespace,
    normal as normal,
)
from .conditioning import CONDITIONS as CONDITIONS, condition_value as condition_value, timesteps_of as timesteps_of
from .config import from_config as from_config, to_config as to_config
from .continuous import (
    cosine as cosine,
    karras as karras,
    linear as linear,
    offset_cosine as offset_cosine,
    rectified as rectified,
    sigmoid as sigmoid,
)
from .diffusers import from_diffusers as from_diffusers
from .diffusers_out import to_diffusers as to_diffusers
from .inverse import times_of as times_of
from .noising import (
    PREDICTIONS as PREDICTIONS,
    add_noise as add_noise,
    prediction_name as prediction_name,
    target as target,
    to_eps as to_eps,
    to_x0 as to_x0,
)
from .rates import Rates as Rates, Schedule as Schedule, rates_at as rates_at
from .registry import Registry as Registry
from .schedules import SCHEDULES as SCHEDULES
from .tables import (
    cosine_betas as cosine_betas,
    discrete as discrete,
    linear_betas as linear_betas,
    scaled_linear_betas as scaled_linear_betas,
    sigmoid_betas as sigmoid_betas,
)
from .transforms import shift as shift, zero_terminal_snr as zero_terminal_snr
from .weights import WEIGHTS as WEIGHTS, weight as weight
