"""WGAN-GP (Gulrajani et al. 2017) on images of 28 x 28, layers of 256, batch 64: five updates of
the critic and one of the generator."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, init, numbers, update

PIXELS, NOISE, HIDDEN, BATCH, CRITIC_UPDATES = 784, 128, 256, 64, 5


class Network(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, outputs)

    def forward(self, x):
        x = F.leaky_relu(self.hidden1(x), 0.2)
        return self.out(F.leaky_relu(self.hidden2(x), 0.2))


def make():
    generator, critic = init(Network(NOISE, PIXELS)), init(Network(PIXELS, 1))
    for_generator = adam(generator.parameters(), lr=1e-4, betas=(0.0, 0.9))
    for_critic = adam(critic.parameters(), lr=1e-4, betas=(0.0, 0.9))
    image = numbers("image", -1, 1, BATCHES, BATCH, PIXELS)
    noise = numbers("noise", -1, 1, BATCHES, BATCH, NOISE)
    between = numbers("between", 0, 1, BATCHES, BATCH, 1)

    def penalty(real, fake, i):
        x = torch.lerp(fake, real, between[i]).requires_grad_()
        dx, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return 10 * (dx.square().sum(-1).sqrt() - 1).square().mean()

    def step(number, training):
        for i in (j % BATCHES for j in range(number, number + CRITIC_UPDATES)):
            with torch.no_grad():
                fake = generator(noise[i]).tanh()
            loss = critic(fake).mean() - critic(image[i]).mean() + penalty(image[i], fake, i)
            update(for_critic, loss)
        return update(for_generator, -critic(generator(noise[number % BATCHES]).tanh()).mean())
    return step
