"""A GAN's training loop in plain PyTorch on the CPU, to compare with: a process of its own.

Needs PyTorch and NumPy alone. Reads one JSON line that says what to train (see
``training.torch_description``), then one number of steps after another, and answers each with
the seconds by the clock and of processor time.
"""

import json
import sys
import time
from typing import Any

import torch
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class Reshape(nn.Module):
    """Channels last, as Keras has them, to channels first."""

    def __init__(self, shape: list[int]) -> None:
        super().__init__()
        self.height, self.width, self.channels = shape

    def forward(self, x: Any) -> Any:
        """See the class."""
        return x.reshape(len(x), self.channels, self.height, self.width)


def layer(kind: str, settings: dict[str, Any]) -> list[nn.Module]:
    """One Keras layer in PyTorch, with its activation."""
    inputs, outputs = settings.get("inputs"), settings.get("outputs")
    kernel, strides = settings.get("kernel"), settings.get("strides")
    bias = settings.get("bias", False)
    if kind in ("Conv2D", "Conv2DTranspose"):
        padding = 0 if settings["padding"] == "valid" else (kernel - strides + 1) // 2
        make = nn.Conv2d if kind == "Conv2D" else nn.ConvTranspose2d
        made = make(inputs, outputs, kernel, strides, padding, bias=bias)
    else:
        made = {
            "Dense": lambda: nn.Linear(inputs, outputs, bias=bias),
            "BatchNormalization": lambda: (
                nn.BatchNorm2d if settings["rank"] == 4 else nn.BatchNorm1d
            )(inputs, momentum=1 - settings["momentum"]),
            "LeakyReLU": lambda: nn.LeakyReLU(settings["slope"]),
            "ReLU": nn.ReLU,
            "Activation": nn.Identity,
            "Flatten": nn.Flatten,
            "Reshape": lambda: Reshape(settings["shape"]),
            "MaxPooling2D": lambda: nn.MaxPool2d(2),
            "UpSampling2D": lambda: nn.Upsample(scale_factor=2),
        }[kind]()
    activation = ACTIVATIONS.get(settings.get("activation", ""))
    return [made] if activation is None else [made, activation()]


def network(layers: list[tuple[str, dict[str, Any]]]) -> nn.Module:
    """A sequence of layers."""
    return nn.Sequential(*(part for kind, settings in layers for part in layer(kind, settings)))


def optimizer(network: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Adam, or SGD with momentum."""
    if settings["kind"] == "Adam":
        betas = (settings["beta_1"], settings["beta_2"])
        return torch.optim.Adam(network.parameters(), settings["rate"], betas)
    return torch.optim.SGD(
        network.parameters(), settings["rate"], settings["momentum"], nesterov=settings["nesterov"]
    )


class Loop:
    """The two networks and one step of both."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.generator = network(described["generator"])
        self.discriminator = network(described["discriminator"])
        self.optimizers = [
            optimizer(net, described["optimizer"]) for net in (self.generator, self.discriminator)
        ]
        self.latent_dim, self.joint_batch = described["latent_dim"], described["joint_batch"]
        height, width, channels = described["shape"]
        self.real = 2 * torch.rand(described["batch_size"], channels, height, width) - 1

    def noise(self) -> torch.Tensor:
        """Fresh z."""
        return torch.randn(len(self.real), self.latent_dim)

    def step(self) -> None:
        """The discriminator's half, then the generator's."""
        softplus = nn.functional.softplus
        g_optimizer, d_optimizer = self.optimizers
        with torch.no_grad():
            fake = self.generator(self.noise())
        if self.joint_batch:
            real_logits, fake_logits = self.discriminator(torch.cat([self.real, fake])).chunk(2)
        else:
            real_logits, fake_logits = self.discriminator(self.real), self.discriminator(fake)
        d_optimizer.zero_grad()
        (0.5 * (softplus(-real_logits).mean() + softplus(fake_logits).mean())).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        softplus(-self.discriminator(self.generator(self.noise()))).mean().backward(
            inputs=list(self.generator.parameters())
        )
        g_optimizer.step()


def main() -> None:
    """See the module."""
    torch.manual_seed(0)
    loop = Loop(json.loads(sys.stdin.readline()))
    parameters = [p.numel() for n in (loop.generator, loop.discriminator) for p in n.parameters()]
    print(json.dumps({"torch": torch.__version__, "parameters": sum(parameters)}), flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            loop.step()
        spent = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main()
