"""A small convolutional network trained on scikit-learn's handwritten digits, to be explored.

    fmtemu explore examples/digits.py

The 1797 images of 8 x 8 pixels are real; 60 % of them train the network (two
seconds), the others are what every configuration is scored on.
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from fmtemu.explore import Study

EPOCHS = 30
BATCH = 64
LEARNING_RATE = 1e-2


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images, training labels, test images, test labels; pixels are 0..1."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, test = train_test_split(range(len(labels)), test_size=0.4, random_state=0, stratify=labels)
    return images[train], labels[train], images[test], labels[test]


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = load()


class Net(nn.Module):
    """Two convolutions and two linear layers, 3658 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.hidden = nn.Linear(16 * 2 * 2, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        """The logits of the ten digits."""
        x = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        return self.output(functional.relu(self.hidden(x.flatten(1))))


def train() -> Net:
    """A network trained from scratch, the same one every time on the same machine."""
    torch.set_num_threads(1)  # the batches are too small to be shared: two threads take longer
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net()
        steps = EPOCHS * -(-len(TRAIN_LABELS) // BATCH)
        optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(TRAIN_LABELS)).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(net(TRAIN_IMAGES[batch]), TRAIN_LABELS[batch]).backward()
                optimizer.step()
                schedule.step()
    return net


def accuracy(net: nn.Module) -> float:
    """The share of test images that the network reads rightly, in percent."""
    right = net(TEST_IMAGES).argmax(1) == TEST_LABELS
    return 100 * right.double().mean().item()


def study() -> Study:
    """What `fmtemu explore` asks for."""
    return Study(model=train, calibration=TRAIN_IMAGES[:256], evaluate=accuracy)
