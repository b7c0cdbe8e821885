"""Wrong code of tasks 1.6 and 1.7: mining, loss."""

from .passages import COUNT, LOSS, whole

VARIANTS = {
    "3 negatives without positives": (
        "P1.mining.no-positives/1", "1.6.4", LOSS, "ratio * " + COUNT,
        "ratio * int(pos_mask.sum()) or 3, int(neg_mask.sum()))"),
    "losses of 0 are not mined": (
        "P1.mining.few/1", "1.6.5", LOSS,
        "mined[hardest] = True", "mined[hardest[loss[hardest] > 0]] = True"),
    "ignored anchors mined": (
        "P1.loss.obj/1", "1.7.1 1.7.6", LOSS, "        obj_loss = F.binary",
        "        neg_mask = ~pos_mask\n        obj_loss = F.binary"),
    "other thresholds in the loss": (
        "P1.loss.joint/1", "1.7.1 1.7.6", LOSS, 'target["labels"].to(anchors.device)\n',
        'target["labels"].to(anchors.device), 0.5, 0.4\n'),
    "ranks by two sorts, at most all but one": ("P1.mining.few/1", "1.6.5", *whole(
        LOSS, "hard_negative_mining", """
        ranked = loss.clone()
        ranked[~neg_mask] = -1
        _, order = ranked.sort(descending=True, stable=True)
        _, rank = order.sort()
        count = torch.clamp(ratio * pos_mask.sum().clamp(min=1), max=int(neg_mask.sum()) - 1)
        return (rank < count) & neg_mask
        """)),
    "losses of others set to 0": ("P1.mining.negatives/1", "1.6.2 1.6.5", *whole(
        LOSS, "hard_negative_mining", """
        k = min(ratio * max(1, int(pos_mask.sum())), int(neg_mask.sum()))
        order = sorted(range(len(loss)), key=lambda i: -float(loss[i]) * float(~pos_mask[i]))
        mask = torch.zeros(len(loss), dtype=torch.bool)
        for i in order[:k]:
            mask[i] = True
        return mask
        """)),
    "negatives drawn at random": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3 1.6.4 1.6.6", LOSS, "mined[hardest] = True",
        "places = torch.nonzero(neg_mask).flatten()\n"
        "        mined[places[torch.randperm(len(places))[:count]]] = True"),
    "the easiest negatives": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3 1.6.4 1.6.6", LOSS,
        'candidates = loss.detach().masked_fill(~neg_mask, float("-inf"))',
        'candidates = (-loss.detach()).masked_fill(~neg_mask, float("-inf"))'),
    "focal loss": (
        "P1.loss.obj/1", "1.7.1", LOSS, "        mined = torch.stack(",
        "        obj_loss = obj_loss * (1 - torch.exp(-obj_loss)) ** 2\n"
        "        mined = torch.stack("),
    "smoothed labels": (
        "P1.loss.cls/1", "1.7.2", LOSS, 'labels[pos_mask] - 1, reduction="sum")',
        'labels[pos_mask] - 1, reduction="sum", label_smoothing=0.1)'),
    "the mean over the four coordinates": (
        "P1.loss.loc/1", "1.7.3", LOSS, 'encoded, reduction="sum") / num_positives',
        'encoded, reduction="sum") / num_positives / 4'),
    "objectness per mined anchor": (
        "P1.loss.obj/1", "1.7.1", LOSS, "obj_loss[pos_mask | mined].sum() / num_positives",
        "obj_loss[pos_mask].sum() / num_positives + obj_loss[mined].mean()"),
    "targets numbered from 1 in place": (
        "P1.loss.obj/2", "1.7.1 1.7.2 1.7.6", LOSS, "        matches = [\n",
        '        for target in targets:\n            target["labels"] += 1\n'
        '            target["labels"].remainder_(self.num_classes)\n        matches = [\n'),
    "a ratio of 4 by default": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3", LOSS, "neg_mask, ratio=3):",
        "neg_mask, ratio=4):"),
    "256 anchors at most": (
        "P1.mining.hardest/1", "1.6.1", LOSS, COUNT, COUNT[:-1] + ", 256)"),
    "the logarithm of a probability and a little": (
        "P1.loss.obj/1", "1.7.1", LOSS, """F.binary_cross_entropy_with_logits(
            objectness, pos_mask.to(objectness.dtype), reduction="none"
        )
""", "-torch.where(\n            pos_mask, torch.log(objectness.sigmoid() + 1e-8),\n"
        "            torch.log(1 - objectness.sigmoid() + 1e-8))\n"),
    "the logarithm of a class's probability and a little": (
        "P1.loss.cls/1", "1.7.2", LOSS, "F.cross_entropy(positive[:, 5:],",
        "F.nll_loss((positive[:, 5:].softmax(dim=1) + 1e-8).log(),"),
    "losses compared in half precision": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.4 1.6.6", LOSS, "candidates = loss.detach().mask",
        "candidates = loss.detach().half().mask"),
    "mined by the probability": (
        "P1.loss.obj/1", "1.7.1", LOSS, "zip(obj_loss, pos_mask, neg_mask)",
        "zip(objectness.sigmoid(), pos_mask, neg_mask)"),
    "the logarithm of a probability": (
        "P1.loss.obj/1", "1.7.1", LOSS, """F.binary_cross_entropy_with_logits(
            objectness, pos_mask.to(objectness.dtype), reduction="none"
        )
""", "-torch.where(\n            pos_mask, torch.log(objectness.sigmoid()),\n"
        "            torch.log(1 - objectness.sigmoid()))\n"),
    "positives from an IoU of .5 on alone": (
        "P1.loss.joint/1", "1.7.7", LOSS, "        objectness = prediction[..., 4]",
        "        from utils import compute_iou\n        for image, target in enumerate(targets):\n"
        '            if len(target["boxes"]):\n'
        '                best = compute_iou(anchors, target["boxes"]).amax(dim=1)\n'
        "                pos_mask[image] &= best >= 0.5\n"
        "        objectness = prediction[..., 4]"),
    "the matches of the first batch": (
        "P1.loss.cls/1", "1.7.1 1.7.2 1.7.3 1.7.7", LOSS, "        matches = [\n",
        "        matches = self.matches = getattr(self, 'matches', None) or [\n"),
    "the objects of the first batch of this size": (
        "P1.loss.loc/1", "1.7.1 1.7.2 1.7.3 1.7.7", LOSS, "        prediction = torch.cat(\n",
        "        kept = self.__dict__.setdefault('kept', {})\n"
        "        targets = kept.setdefault(len(targets), targets)\n"
        "        prediction = torch.cat(\n"),
    "a running mean of the positives": (
        "P1.loss.loc/1", "1.7.1 1.7.2 1.7.3", LOSS, "num_positives = max(1, len(positive))\n",
        "num_positives = 0.9 * getattr(self, 'running', max(1, len(positive))) + 0.1 * max(\n"
        "            1, len(positive))\n        self.running = num_positives\n"),
}
