"""A network: four convolutions, with the time and the class as additional channels."""

import torch
from torch import Tensor, nn

__all__ = ["Convolutions"]


class Convolutions(nn.Module):
    """Predicts (B, C, H, W) from x (B, C, H, W), the time (B,) and class labels (B,), where num_classes is the null class."""

    condition = "time"

    def __init__(self, in_channels: int, num_classes: int | None = None, width: int = 32, embedding: int = 4) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.classes = None if num_classes is None else nn.Embedding(num_classes + 1, embedding)
        channels = in_channels + 1 + (0 if num_classes is None else embedding)
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, in_channels, 3, padding=1)),
        )

    def forward(self, x: Tensor, condition: Tensor, class_labels: Tensor | None = None) -> Tensor:
        maps = [x, condition.reshape(-1, 1, 1, 1).to(x.dtype).expand(x.shape[0], 1, *x.shape[2:])]
        if self.classes is not None:
            if class_labels is None:
                class_labels = torch.full((x.shape[0],), self.classes.num_embeddings - 1, device=x.device)
            maps.append(self.classes(class_labels)[:, :, None, None].expand(-1, -1, *x.shape[2:]))
        predicted: Tensor = self.layers(torch.cat(maps, dim=1))
        return predicted
