"""The two layers everything here is made of."""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BatchNorm", "convolution"]


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation without scale and centre: (x - mean) / sqrt(variance + 0.001), per channel over B, H and W.

    The running statistics move by 1% a batch: Keras's momentum 0.99 is torch's 0.01. In training a single value a channel
    (one sample, 1x1 pixels) has no variance; it is normalised with the running statistics, which then stay as they are.
    x (B, channels, H, W) -> same shape. Source: Ioffe and Szegedy 2015, algorithm 1.

    >>> import torch
    >>> BatchNorm(1)(torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1)).flatten()
    tensor([-0.9995,  0.9995])
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        # Without this the last batch of an epoch stops the training wherever it happens to hold one sample.
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(x)


def convolution(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps the image's size: odd kernel, zero padding, Glorot uniform weights, zero bias.

    Weights are uniform in +-sqrt(6 / (fan_in + fan_out)). Source: Glorot and Bengio 2010, equation 16.

    >>> convolution(3, 8, kernel=3)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    layer = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
