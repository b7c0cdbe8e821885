"""Probes of networks: what fresh ones answer to images made for the question.

They return numbers of the outputs and leave it to the check what these must look like.
"""

import torch
from torch.nn.parameter import is_lazy

from ...engine.sandbox.student import Unusable

STIRRED = 4  # times at most
SMALLEST = 1e-6  # difference between images that is more than rounding
SMALL_GAIN = 0.1  # of a vector of gains that lets too little through, such as zeros or 1e-6


def network_output(student, model, options, images, passes, cells, seed, enlarged=0):
    """What a network with weights stirred for the question answers, in evaluation mode.

    Args:
        images: `[channels, H, W]` by name.
        passes: lists of names: the images of each batch.
        cells: int64 `[n, 2]` per output, rows and columns of its map; none where outputs are
            numbers `[B, C]`.
        seed: of the stirring, which gives a last layer of zeros weights as well.
        enlarged: a factor for all matrices and kernels, for one more pass.

    Returns:
        `shapes` of all outputs, per pass; `values`: per pass and output `[B, C, n]`, or `[B, C]`;
        None for an output without these cells; `large`: those of the first image with `enlarged`.
    """
    _in_full()
    net = student(model)(**options).eval()
    with torch.no_grad():
        answer = _stirred(net, images, passes, cells, seed)
        if enlarged:
            for parameter in net.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(enlarged)
            answer["large"] = _values(outputs_of(net(images[passes[0][0]][None])), cells)
        return answer


def network(student, model, options, images, passes, cells, seed, slope, training=()):
    """What a network with weights stirred for the question answers, in evaluation mode.

    Args:
        images, passes, cells, seed: as above.
        slope: names of two images of the first pass; the first of them is passed once more, alone
            and with gradients.
        training: names of images that are passed in training mode, two copies of them in a batch.

    Returns:
        As `network_output`, and `again`: the values of the first image of `slope`; `loaded`: those
        of a new network that has loaded the state dict; `slopes`: for every output, the gradient
        of its values times their change between the two images, along the step from one to the
        other; `training`: the values of that batch; `parameters`: their number; `reached`: how many
        of them lie in tensors that these gradients reach.
    """
    _in_full()
    net = student(model)(**options).eval()
    first, second = (images[name] for name in slope)
    with torch.no_grad():
        answer = _stirred(net, images, passes, cells, seed)
        loaded = student(model)(**options)
        loaded.load_state_dict(net.state_dict())
        answer["loaded"] = _values(outputs_of(loaded.eval()(first[None].clone())), cells)
        answer["parameters"] = sum(parameter.numel() for parameter in net.parameters())
    image = first[None].clone().requires_grad_()
    # A copy, which the network may change in place.
    answer["again"] = here = _values(outputs_of(net(image.clone())), cells)
    answer["slopes"] = [_slope(image, value, batch, [passes[0].index(name) for name in slope],
                               second - first)
                        for value, batch in zip(here, answer["values"][0])]
    answer["reached"] = sum(parameter.numel() for parameter in net.parameters()
                            if parameter.grad is not None and parameter.grad.any())
    if training:
        with torch.no_grad():
            batch = torch.stack([images[name] for name in training] * 2)
            answer["training"] = _values(outputs_of(net.train()(batch)), cells)
    return answer


def _in_full():
    """Switch autocast off, also inside networks: it rounds, and changes here are small."""
    begin = torch.autocast.__init__

    def off(self, device_type, dtype=None, *_, **__):
        begin(self, device_type, dtype=dtype, enabled=False)

    torch.autocast.__init__ = off


def _slope(image, value, batch, places, step):
    """The gradient at the image of `value . change`, times a step to another image.

    Args:
        value: output for the image, with gradients.
        batch, places: that output for several images, without; where both images are in there.
    """
    if value is None or batch is None or not value.requires_grad:
        return 0.0
    here, there = (batch[place] for place in places)
    image.grad = None
    # Not autograd.grad, with which reentrant checkpointing does not work.
    (value[0] * (there - here)).sum().backward(retain_graph=True)
    return 0.0 if image.grad is None else float((image.grad[0].double() * step).sum())


def _stirred(net, images, passes, cells, seed):
    """What a network answers with noise in its weights; other noise, where a channel of a map is
    the same everywhere, as behind a ReLU that happens to be closed."""
    if any(is_lazy(parameter) for parameter in net.parameters()):
        net(images[passes[0][0]][None].clone())  # which gives lazy layers their weights
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STIRRED):
        _stir(net, generator)
        _balance(net, torch.stack([*images.values()]))
        answer = _passed(net, images, passes, cells)
        if all((value.amax(-1) > value.amin(-1)).all() for values in answer["values"]
               for value in values if value is not None and value.dim() > 2
               and value.shape[-1] > 1):
            break
    return answer


def _stir(net, generator):
    """Add noise to all matrices and kernels, half as large as layers are initialised with. Gains
    that begin near 0 hide what they scale until training moves them: that is done here."""
    for name, parameter in net.named_parameters():
        if not parameter.numel():
            continue
        if parameter.dim() > 1:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.5 * noise / parameter[0].numel() ** 0.5)
        elif "bias" not in name and parameter.abs().max() <= SMALL_GAIN:
            signs = torch.randint(2, parameter.shape, generator=generator) - 0.5  # it may be a bias
            parameter.add_(signs)


def _balance(net, images):
    """Scale matrices and kernels of one layer after another so that its outputs differ by about 1
    between images (Mishkin and Matas, "All you need is a good init", 2016): where they hardly
    differ, activations are as good as linear, and what a network looks at does not show."""
    done = set()

    def scale(layer, inputs, output):
        if layer in done or not isinstance(output, torch.Tensor):
            return None
        done.add(layer)
        spread = float((output - output.mean(0)).abs().pow(2).mean().sqrt())
        if not SMALLEST < spread < 1 / SMALLEST:
            return None
        for parameter in layer.parameters(recurse=False):
            if parameter.dim() > 1:
                parameter.div_(spread)
        return layer.forward(*inputs)

    hooks = [layer.register_forward_hook(scale) for layer in net.modules()
             if not [*layer.children()] and any(p.dim() > 1 for p in layer.parameters())]
    net(images.clone())
    for hook in hooks:
        hook.remove()


def _passed(net, images, passes, cells):
    outputs = []
    for names in passes:
        # What chance adds, as dropout does, is the same in every pass: the image makes the rest.
        torch.manual_seed(0)
        outputs.append(outputs_of(net(torch.stack([images[name] for name in names]))))
    return {"shapes": [[list(output.shape) for output in of_pass] for of_pass in outputs],
            "values": [_values(of_pass, cells) for of_pass in outputs]}


def _values(outputs, cells):
    """The outputs at some cells of their maps; outputs that are numbers as they are."""
    return [output.float() if output.dim() == 2 else _at(output, own)
            for output, own in zip(outputs, [*cells, *[None] * len(outputs)])]


def _at(output, cells):
    if cells is None or output.dim() != 4 or (
            cells.amax(0) >= torch.tensor(output.shape[2:])).any():
        return None
    return output[:, :, cells[:, 0], cells[:, 1]].float()


def outputs_of(returned):
    """The tensors that a network returned, as a list.

    Raises:
        Unusable: it returned something else.
    """
    found = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    odd = [type(output).__name__ for output in found if not isinstance(output, torch.Tensor)]
    if not found:
        raise Unusable("forward returned an empty list. It returns a tensor, or a list of tensors")
    if odd:
        raise Unusable(f"forward returned {'a list with ' * (found[0] is not returned)}an object "
                       f"of the type {odd[0]}. It returns a tensor, or a list of tensors")
    return found
