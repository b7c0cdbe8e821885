"""Probes of plain functions, of the loss, and of networks."""

from contextlib import nullcontext

import torch

from ...engine.sandbox.probes import unchanged


def mining(student, loss, pos_mask, neg_mask, options, pure=False):
    """`DetectionLoss().hard_negative_mining(loss, pos_mask, neg_mask, **options)`.

    Args:
        pure: it must leave its arguments as they were.
    """
    criterion = student("loss.DetectionLoss")(num_classes=3)
    with unchanged("hard_negative_mining", (loss, pos_mask, neg_mask)) if pure else nullcontext():
        return criterion.hard_negative_mining(loss, pos_mask, neg_mask, **options)


def detection_loss(student, predictions, targets, anchors, num_classes=3):
    """The loss dict of a batch and the gradient of `loss_total` at every prediction map."""
    criterion = student("loss.DetectionLoss")(num_classes=num_classes)
    predictions = [p.requires_grad_() for p in predictions]
    losses = criterion(predictions, targets, anchors)
    gradients = torch.autograd.grad(losses["loss_total"], predictions, allow_unused=True)
    return {
        "losses": dict(losses),
        "gradients": [torch.zeros_like(p) if g is None else g
                      for p, g in zip(predictions, gradients)],
    }


def network_output(student, model, options, images):
    """What a network makes of images in evaluation mode: `shapes`, `lowest` and `highest` value."""
    with torch.no_grad():
        return _seen(_outputs(student(model)(**options).eval()(images)))


def network(student, model, options, images, training=True):
    """What a network makes of an image: as `network_output`, and finiteness, repetition, gradients.

    Args:
        images: the first is passed through in evaluation mode.
        training: pass all of them through in training mode as well. They must be several that
            differ: batch norm turns equal images to zeros, in which dropout does not show.

    Returns:
        dict with `shapes` (one per output), `lowest`, `highest`, `finite`, `same_in_eval` (two
        passes in evaluation mode agree), `same_in_train` (two copies of the images, in one batch in
        training mode, agree; None without), `same_when_loaded` (a new network that loads the state
        dict agrees), `parameters`, `dependent` and `connected` (for every output, whether it
        depends on the image, and whether its graph leads back to the image).
    """
    net = student(model)(**options).eval()
    image = images[:1].clone().requires_grad_()
    outputs = _outputs(net(image.clone()))  # a copy, which the network may change in place
    loaded = student(model)(**options)
    loaded.load_state_dict(net.state_dict())
    with torch.no_grad():
        again = _outputs(loaded.eval()(image.clone()))
    same_in_eval = same_when_loaded = _agree(outputs, again, 1e-6)
    if not same_when_loaded:  # without gradients torch computes some layers in another way
        same_when_loaded = _agree(outputs, _outputs(loaded(image.clone())), 1e-6)
        same_in_eval = same_when_loaded or _agree(outputs, _outputs(net(image.clone())), 1e-6)
    connected = [_connected(output, image) for output in outputs]
    # One backward pass for all: each costs more than a pass forwards.
    depends = any(connected) and _input_gradient(
        image, lambda: _outputs(net(image.clone())), outputs) > 0
    # The gradient may be that of another map. A map with one value everywhere is asked by itself.
    dependent = [depends and (len(outputs) == 1 or _varies(output) or found and _input_gradient(
        image, lambda index=index: _outputs(net(image.clone()))[index:index + 1]) > 0)
        for index, (output, found) in enumerate(zip(outputs, connected))]
    same_in_train = None
    if training:
        with torch.no_grad():
            noisy = _outputs(net.train()(torch.cat([images, images])))
        same_in_train = all(_agree(output[:len(images)], output[len(images):]) for output in noisy)
    return {
        **_seen(outputs),
        "finite": all(bool(output.isfinite().all()) for output in outputs),
        "same_in_eval": same_in_eval,
        "same_when_loaded": same_when_loaded,
        "same_in_train": same_in_train,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "dependent": dependent,
        "connected": connected,
    }


def _input_gradient(image, make, outputs=None):
    """The largest gradient at the image of `outputs`, or else of what `make()` returns."""
    def total(outputs):  # of squares: the plain sum of a softmax is constant, without gradient
        return sum(output.float().square().sum() for output in outputs)

    try:
        gradient, = torch.autograd.grad(total(make() if outputs is None else outputs), image)
    except RuntimeError:  # reentrant checkpointing works with backward() only
        total(make()).backward()
        gradient, image.grad = image.grad, None
    return float(gradient.abs().max())


def _connected(output, image):
    """Whether the graph of `output` leads back to `image`, which needs gradients."""
    nodes, seen = [output.grad_fn], {None}
    while nodes:
        node = nodes.pop()
        if getattr(node, "variable", None) is image:  # where gradients of a leaf end up
            return True
        if node not in seen:
            seen.add(node)
            nodes.extend(before for before, _ in node.next_functions)
    return False


def _varies(output):
    """Whether the channels of an output hold more than one value each."""
    channels = output.detach().reshape(*output.shape[:2], -1)
    return bool((channels != channels[..., :1]).any())


def _agree(some, others, atol=1e-8):
    return all(a.shape == b.shape and torch.allclose(a, b, atol=atol)
               for a, b in zip(some, others))


def _seen(outputs):
    return {
        "shapes": [list(output.shape) for output in outputs],
        "lowest": min(float(output.min()) for output in outputs),
        "highest": max(float(output.max()) for output in outputs),
    }


def _outputs(output):
    return list(output) if isinstance(output, (list, tuple)) else [output]


def detector_maps(student, options, images):
    """Shapes of MultiScaleDetector's maps for images, in evaluation mode."""
    net = student("model.MultiScaleDetector")(**options)
    net.eval()
    with torch.no_grad():
        return [list(output.shape) for output in net(images)]
