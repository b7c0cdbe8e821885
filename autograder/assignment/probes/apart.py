"""A look at trained networks where no code of the submission runs: in the grader's own hands.

What a submission says of its networks comes from a process that runs its code, which can say
anything. But each network also comes as plain tensor operations (`weights.graph`). With the weights
that were handed in they must give what was said, on images of which that process knew nothing; and
with the values of every weight shuffled they must not.
"""

import io
import warnings

import numpy as np
import torch

from datasets import samples

from .accuracy import BATCH, _batches, _candidates, positions
from .weights import load_weights, outputs

FEWEST = 1000  # numbers in the weights of any network that is worth its name
IMAGES = {1: 8, BATCH: 12}  # to look at, by the size of batches
ALIKE = 0.95  # share of what comes back that must be what was said: ties may be broken otherwise
NOISE = 0.01  # relative to each weight
# Operations of image processing and of programs; networks do without them.
FOREIGN = {"CallFunction", "CallMethod", "If", "Loop", "argmax", "argmin", "bincount", "cummax",
           "cummin", "eq", "ge", "gt", "le", "lt", "masked_fill", "masked_select", "ne", "nonzero",
           "sort", "topk", "_unique2", "where"}


def networks_apart(student, answer, probe, **asked):
    """What the grader sees of the networks behind an answer.

    Args:
        answer: may be forged; probe: that gave it; asked: its inputs.

    Returns:
        a list, for each network: `lacks`: why it could not be seen, or ""; `images`: numbers of
        those it was run on; `trained`, `noised`, `shuffled`: for each of them what it answers with
        these weights (rows as of `detector_detections`, or positions).
    """
    size = 1 if "raw" in answer else BATCH
    count = asked["count"] if "count" in asked else len(asked["images"])
    # Drawn where nobody can foresee it: the seed of this process is known to the submission.
    chosen = np.random.default_rng().permutation(count)[:IMAGES[size]]
    chosen = chosen[:len(chosen) - len(chosen) % size or None]
    if "count" in asked:
        dataset = "keypoints" if probe == "validated_keypoints" else "detection"
        images = {i: sample.image for i, sample in enumerate(samples(
            asked["profile"], dataset, "val", asked["seed"], count)) if i in chosen}
        some = torch.from_numpy(np.stack([images[i] for i in chosen]))
    else:
        some = asked["images"][chosen]
    if "raw" in answer:
        networks = [("best_model.pth", answer["raw"])]
    elif probe == "validated_keypoints":
        networks = [("heatmap_model.pth", answer["heatmap"]),
                    ("regression_model.pth", answer["regression"])]
    else:
        networks = [(asked["file"], answer["trained"])]

    def run(net):
        if size > 1:
            return [*torch.cat([positions(net(batch)) for batch in _batches(some, size)])]
        return [found for batch in _batches(some, size)
                for found in _candidates(outputs(net(batch)), asked["candidates"])]

    return [{"images": chosen, **_seen(
        student.folder / "results" / file, own, run,
        None if told is None else [told[i] for i in chosen])}
        for (file, told), own in zip(networks, answer["graphs"])]


@torch.no_grad()
def _seen(path, operations, run, told):
    """What is seen of one network; `run(net)` gives what it answers, and it has `told` what it
    would."""
    if operations is None:
        return {"lacks": "it does more than apply tensor operations, the same ones each time"}
    weights = load_weights(path)
    if sum(value.numel() for value in weights.values()) < FEWEST:
        return {"lacks": f"its weights are fewer than {FEWEST:,} numbers"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch's versions are pinned
            net = _loaded(operations)
        foreign = sorted(FOREIGN & set(_operations(net.inlined_graph)))
        if foreign:
            return {"lacks": f"it uses {', '.join(foreign)}"}
        rng = torch.Generator().manual_seed(0)
        seen = {}
        for name, change in (
                ("trained", lambda w: w),
                ("noised", lambda w: w * (1 + NOISE * torch.randn(w.shape, generator=rng))),
                ("shuffled", lambda w: w.flatten()[
                    torch.randperm(w.numel(), generator=rng)].reshape(w.shape))):
            net = _loaded(operations)  # anew: a buffer that counts would tell which run this is
            for key, value in [*net.named_parameters(), *net.named_buffers()]:
                if key in weights:
                    value.set_(change(weights[key]).to(value.dtype))
            with torch.jit.optimized_execution(False):
                seen[name] = run(net)
    except Exception:  # in operations that come from anywhere
        return {"lacks": "its operations cannot be run"}
    if not np.mean([_alike(*both) for both in zip(told, seen["trained"])]) >= ALIKE:
        return {"lacks": "run by the grader it answers otherwise"}
    return {"lacks": "", **seen}


def _loaded(operations):
    return torch.jit.load(io.BytesIO(operations.numpy().tobytes()))


def _operations(graph):
    """The names of all operations in a graph, in its blocks and in graphs of their own (fork)."""
    for node in graph.nodes():
        yield node.kind().partition("::")[2].rstrip("_")
        for block in [*node.blocks(), *(node.g(name) for name in node.attributeNames()
                                        if node.kindOf(name) == "g")]:
            yield from _operations(block)


def _alike(told, found):
    """In how far a network answers to an image what it was told to answer, in 0..1."""
    if isinstance(found, torch.Tensor):
        return ((told - found).abs() < 0.01).float().mean().item()
    found, told = (dict(zip(some["anchors"].tolist(), some["rows"])) for some in (found, told))
    both = found.keys() & told.keys()
    return len(both) >= ALIKE * max(len(found), len(told)) and all(
        torch.allclose(found[anchor], told[anchor], 0.02, 0.02) for anchor in both)
