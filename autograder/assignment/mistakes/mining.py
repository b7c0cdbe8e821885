"""Mistakes in hard negative mining: task 1.6."""

from . import mistake

COUNT = "min(ratio * max(1, int(pos_mask.sum())), int(neg_mask.sum()))"
HARDEST = "torch.sort(candidates, descending=True, stable=True).indices[:count]"
CANDIDATES = 'loss.detach().masked_fill(~neg_mask, float("-inf"))'

MISTAKES = [
    mistake(
        "mining-easiest", "mines the negatives with the lowest loss",
        "The network is shown only background that it knows already. Take those it gets most "
        "wrong, which are the ones with the highest loss.",
        "P1.mining.hardest/1", [
            ('float("-inf")', 'float("inf")'),
            (HARDEST, HARDEST.replace("descending=True", "descending=False"))]),
    mistake(
        "mining-all-negatives", "takes all negatives instead of the hardest",
        "Thousands of easy ones drown the few positives. Take only as many as the ratio allows.",
        "P1.mining.hardest/1", [("mined[hardest] = True", "mined[neg_mask] = True")]),
    mistake(
        "mining-indices", "returns the indices of the mined anchors instead of a mask",
        "Whoever combines the result with the mask of the positives gets other anchors. Return a "
        "bool for every anchor.",
        "P1.mining.hardest/1", [("        return mined\n", "        return hardest\n")]),
    mistake(
        "mining-positives-too", "returns the positives together with the mined negatives",
        "What is asked for are the negatives alone; the loss adds the positives itself. Leave the "
        "positives out of the mask.",
        "P1.mining.negatives/1", [("        return mined\n", "        return mined | pos_mask\n")]),
    mistake(
        "mining-ignored-too", "mines ignored anchors as well",
        "Anchors that show a part of an object have a high loss, and are trained as background. "
        "Only anchors of the negative mask may be mined.",
        "P1.mining.negatives/1", [(CANDIDATES, CANDIDATES.replace("~neg_mask", "pos_mask"))]),
    mistake(
        "mining-from-all", "mines from all anchors, positives included",
        "Objects are then trained as background, or counted twice. Only anchors of the negative "
        "mask may be mined.",
        "P1.mining.negatives/1", [(CANDIDATES, "loss.detach()")]),
    mistake(
        "mining-others-zero", "gives anchors that are not negative a loss of 0 before it sorts",
        "A negative that the network gets right has a loss of 0 as well, so that a positive may be "
        "mined in its place. Give the others a value below all losses.",
        "P1.mining.negatives/1", [('float("-inf")', "0.0")]),
    mistake(
        "mining-indices-of-subset", "takes positions among the negatives for numbers of anchors",
        "After selecting the negatives, index 0 is the first negative and not anchor 0, so that "
        "any anchors get mined. Translate the positions back, or leave all anchors in and make "
        "the others unattractive.",
        "P1.mining.negatives/1", [(CANDIDATES, "loss.detach()[neg_mask]")]),
    mistake(
        "mining-changes-loss", "changes the losses that it is given",
        "The objectness loss of the positives is then another one where it is summed. Write "
        "into a copy, or use masked_fill without an underscore at its end.",
        "P1.mining.negatives/2",
        [(CANDIDATES, 'loss.detach().masked_fill_(~neg_mask, float("-inf"))')]),
    mistake(
        "mining-ties-together", "mines every negative whose loss reaches a limit",
        "Where losses are equal, more are mined than asked for. Sort, and cut off after the exact "
        "number.",
        "P1.mining.ties/1", [(
            "hardest = " + HARDEST,
            "hardest = neg_mask & (candidates >= candidates.sort().values[-count])")]),
    mistake(
        "mining-ties-last", "takes the highest index first where losses are equal",
        "An ascending sort that is read from its end turns ties around. Sort in descending order, "
        "and stably.",
        "P1.mining.ties/1",
        [(HARDEST, "torch.sort(candidates, stable=True).indices.flip(0)[:count]")]),
    mistake(
        "mining-order-as-rank", "compares the order of the anchors with the number to mine",
        "argsort says which anchor comes first, second and so on, and not which rank an anchor "
        "has. Sort the order once more, or index with its first entries.",
        "P1.mining.hardest/1", [(
            "mined[hardest] = True",
            "mined = neg_mask & (candidates.argsort(descending=True, stable=True)\n"
            "                            < ratio * max(1, int(pos_mask.sum())))")]),
    mistake(
        "mining-none-without-positives", "mines nothing in an image without positives",
        "Such images are pure background and teach nothing. Mine as if there were one positive.",
        "P1.mining.no-positives/1",
        [("ratio * max(1, int(pos_mask.sum()))", "ratio * int(pos_mask.sum())")]),
    mistake(
        "mining-hundred-without-positives",
        "mines up to 100 negatives in an image without positives",
        "Pure background then outweighs the images with objects. Mine as many as for one positive.",
        "P1.mining.no-positives/1",
        [("ratio * max(1, int(pos_mask.sum()))", "ratio * int(pos_mask.sum()) or 100")]),
    mistake(
        "mining-beyond-negatives", "mines more anchors than there are negatives",
        "Once the negatives are used up, ignored anchors and positives fill the rest. The number "
        "of negatives is a limit as well.",
        "P1.mining.few/1", [(COUNT, "ratio * max(1, int(pos_mask.sum()))")]),
    mistake(
        "mining-filled-up", "fills up with ignored anchors where negatives are too few",
        "They show a part of an object, and are trained as background. The number of negatives is "
        "a limit as well.",
        "P1.mining.few/1", [
            (COUNT, COUNT.replace("neg_mask.sum", "(~pos_mask).sum")),
            (CANDIDATES, CANDIDATES.replace("~neg_mask, float(\"-inf\")", "~neg_mask, -1e9")
             + '.masked_fill(\n            pos_mask, float("-inf"))')]),
    mistake(
        "mining-ratio-fixed", "mines 3 negatives per positive whatever the ratio is",
        "The argument has no effect. Multiply by the ratio that was given.",
        "P1.mining.ratio/1", [("count = min(ratio * max", "count = min(3 * max")]),
    mistake(
        "mining-positives-counted", "counts the positives among those that ratio allows",
        "With a ratio of 3 there are then two negatives for each positive. The ratio is that of "
        "negatives to positives.",
        "P1.mining.hardest/1", [(COUNT, COUNT.replace("ratio *", "(ratio - 1) *"))]),
]
