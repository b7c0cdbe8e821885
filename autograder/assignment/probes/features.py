"""Probe of what is captured inside a network."""

import torch
import torch.nn as nn
from torch.nn.modules.module import _global_forward_hooks

from ...engine.sandbox.probes import kind


class Layers(nn.Module):
    """A small network: neighbouring names (trunk.1, trunk.10), layers that change what the one
    before has returned, and a list as its output."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.Conv2d(6, 5, 3, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.5),
            nn.Conv2d(5, 4, 1), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(4, 7, 3, padding=1),
            nn.BatchNorm2d(7))
        self.fork = Fork()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 2, 1), nn.Hardtanh(-0.1, 0.1, inplace=True))
            for channels in (3, 4))

    def forward(self, x):
        return [head(part) for head, part in zip(self.heads, self.fork(self.trunk(x)))]


class Fork(nn.Module):
    """Returns a tuple."""

    def forward(self, x):
        return x[:, :3], x[:, 3:]


def feature_maps(student, seed, asked):
    """What `capture_feature_maps` answers about a small network, and how it leaves it.

    Args:
        seed: of the network's weights.
        asked: dicts with `images`, `layers`, whether the call `raises`, and whether the network is
            in `training` mode.

    Returns:
        per call `maps`, None where it raised; `gradients`: whether one of them needs one; `raised`:
        the name of the exception's type; `named`: whether its text names an unknown layer; `hooks`:
        how many are left; `training`: the mode that the network is left in.
    """
    torch.manual_seed(seed)
    net, capture, answers = Layers(), student("analysis.capture_feature_maps"), []
    for norm in (net.trunk[1], net.trunk[10]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 3)
    names = set(dict(net.named_modules()))
    for call in asked:
        maps, raised, named = None, "", False
        try:
            maps = capture(net.train(call["training"]), call["images"], call["layers"])
        except NotImplementedError:
            raise
        except Exception as error:
            if not call["raises"]:
                raise
            raised = kind(error)
            named = any(name in str(error) for name in set(call["layers"]) - names)
        values = maps.values() if isinstance(maps, dict) else ()
        answers.append({
            "maps": maps, "raised": raised, "named": named, "training": net.training,
            "gradients": any(getattr(value, "requires_grad", False) for value in values),
            "hooks": sum(map(_hooks, net.modules())) + len(_global_forward_hooks)})
    return answers


def _hooks(module):
    """Hooks of a module, and a forward of its own that stands in the place of its class's."""
    return (len(module._forward_hooks) + len(module._forward_pre_hooks)
            + ("forward" in vars(module)))
