"""LeNet-5 (LeCun et al. 1998) with relu and maxima: images of 32 x 32, batch 64."""
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, ids, init, numbers, update

SIDE, BATCH, CLASSES = 32, 64, 10


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.full1, self.full2 = nn.Linear(400, 120), nn.Linear(120, 84)
        self.full3 = nn.Linear(84, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.full3(F.relu(self.full2(F.relu(self.full1(x)))))


def make():
    model = init(LeNet())
    optimizer = adam(model.parameters(), lr=1e-3)
    image = numbers("image", 0, 1, BATCHES, BATCH, 1, SIDE, SIDE)
    label = ids("label", CLASSES, BATCHES, BATCH)

    def step(number, training):
        i = number % BATCHES
        return update(optimizer, F.cross_entropy(model(image[i]), label[i]))
    return step
