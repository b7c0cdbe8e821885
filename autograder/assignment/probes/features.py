"""Probe of what is captured inside a network."""

import torch
import torch.nn as nn
from torch.nn.modules.module import _global_forward_hooks

from ...engine.sandbox.probes import kind, unchanged


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


def feature_maps(student, seed, asked, pure=False):
    """What `capture_feature_maps` answers about a small network, and how it leaves it.

    Args:
        seed: of the network's weights.
        asked: dicts with `images`, `layers`, whether the call `raises`, and whether the network is
            in `training` mode.
        pure: the images and the list of layers must stay as they were.

    Returns:
        per call `maps`, None where it raised; `gradients`: whether one of them needs one; `raised`:
        the name of the exception's type; `named`: whether its text names an unknown layer; `hooks`:
        how many more there are than before, where one of each kind was somebody else's; `training`
        and `trainable`: names of modules that are left in another mode, and of parameters that are
        left with or without gradients otherwise than before.
    """
    capture, answers = student("analysis.capture_feature_maps"), []
    torch.manual_seed(seed)  # after the import, in which a submission may have seeded as well
    net = Layers()
    for norm in (net.trunk[1], net.trunk[10]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 3)
    # Half of the parameters are frozen, and two modules are in another mode than the root.
    for parameter in list(net.parameters())[::2]:
        parameter.requires_grad_(False)
    modules = dict(net.named_modules())
    for register in (net.trunk.register_forward_hook, net.trunk[1].register_forward_hook,
                     net.trunk[3].register_forward_pre_hook, net.fork.register_full_backward_hook):
        register(lambda *_: None)
    for call in asked:
        maps, raised, named = None, "", False
        try:
            net.train(call["training"])
            net.trunk[1].train(not call["training"])
            net.heads[0].train(not call["training"])
            before = _state(net)
            with unchanged("capture_feature_maps", (None, call["images"], call["layers"]) * pure):
                maps = capture(net, call["images"], call["layers"])
        except NotImplementedError:
            raise
        except Exception as error:
            if not call["raises"]:
                raise
            raised = kind(error)
            named = any(name in str(error) for name in set(call["layers"]) - set(modules))
        values = maps.values() if isinstance(maps, dict) else ()
        hooks, *others = _state(net)
        answers.append({
            "maps": maps, "raised": raised, "named": named, "hooks": hooks - before[0],
            "gradients": any(getattr(value, "requires_grad", False) for value in values),
            **{key: [name for name, value in now.items() if value != then[name]]
               for key, now, then in zip(("training", "trainable"), others, before[1:])}})
    return answers


def _state(net):
    """How many hooks there are, which modules are in training mode, which parameters trainable.

    A forward of a module's own, in the place of its class's, counts as a hook.
    """
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks)
                + len(module._backward_hooks) + len(module._backward_pre_hooks)
                + ("forward" in vars(module)) for module in net.modules())
    return (hooks + len(_global_forward_hooks),
            {name: module.training for name, module in net.named_modules()},
            {name: parameter.requires_grad for name, parameter in net.named_parameters()})
