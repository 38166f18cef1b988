"""Convolution and max-pooling: their effect on an image and on its shape."""

import torch
from drawing import draw
from torch import nn

digits = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
layers = nn.Sequential(
    nn.Conv2d(1, 10, kernel_size=5),  # 28 - 5 + 1 = 24
    nn.MaxPool2d(2),  # 24 / 2 = 12
    nn.ReLU(),
    nn.Conv2d(10, 20, kernel_size=5),  # 12 - 5 + 1 = 8
    nn.MaxPool2d(2),  # 8 / 2 = 4
    nn.ReLU(),
    nn.Flatten(),  # 20 * 4 * 4 = 320
    nn.Linear(320, 10),
)
shapes = [tuple(digits.shape)]
for layer in layers:
    digits = layer(digits)
    shapes.append(tuple(digits.shape))
    print(f"{type(layer).__name__:<10} {shapes[-1]}")

padded = nn.Conv2d(1, 1, kernel_size=3, padding=1)(torch.rand(1, 1, 5, 5)).shape[-2:]
strided = nn.Conv2d(1, 1, kernel_size=3, stride=2)(torch.rand(1, 1, 5, 5)).shape[-2:]
print(f"5 x 5 with padding 1: {tuple(padded)}; with stride 2: {tuple(strided)}")

# A kernel that answers to edges between left and right, on a seven.
seven = torch.zeros(1, 1, 28, 28)
seven[..., 5:8, 6:22] = 1
for row in range(8, 24):
    column = 20 - (row - 8) // 2
    seven[..., row, column - 2 : column + 2] = 1
kernel = torch.tensor([[1.0, 0.0, -1.0]] * 3).view(1, 1, 3, 3)
edges = nn.functional.conv2d(seven, kernel)
pooled = nn.functional.max_pool2d(edges.abs(), 2)


def picture(image, name):
    def paint(axes):
        axes.imshow(image[0, 0].numpy(), cmap="Greys")
        axes.set_title(f"{name}, {image.shape[2]} x {image.shape[3]}")
        axes.grid(visible=False)

    return paint


panels = [picture(seven, "a seven"), picture(edges, "its edges"), picture(pooled, "pooled")]
draw(__file__, "28 x 28 becomes 26 x 26 by a kernel of 3, and 13 x 13 by pooling", *panels)
print("this net, trained on real digits, is a member of `foldwise run digit-recognizer`")
