"""Mistakes in the detection loss: task 1.7."""

from . import mistake

MINED = ("mined = torch.stack(\n            [self.hard_negative_mining(*image) for image in "
         "zip(obj_loss, pos_mask, neg_mask)]\n        )\n")
ENCODED = "encoded = encode_boxes(boxes[pos_mask], anchors.expand_as(boxes)[pos_mask])"
CLASSES = 'F.cross_entropy(positive[:, 5:], labels[pos_mask] - 1, reduction="sum")'
OFFSETS = 'F.smooth_l1_loss(positive[:, :4], encoded, reduction="sum")'
DIVISOR = "num_positives = max(1, len(positive))"
TOTAL = '"loss_total": loss_obj + loss_cls + 2 *'
RETURNED = '        return {\n            "loss_obj": loss_obj,'
PER_IMAGE = (
    "        of_image = pos_mask.sum(dim=1).clamp(min=1) * len(targets)\n"
    "        weights = (1 / of_image)[:, None].expand_as(obj_loss)\n"
    "        loss_obj = (obj_loss * weights)[pos_mask | mined].sum()\n"
    "        loss_cls = (F.cross_entropy(positive[:, 5:], labels[pos_mask] - 1, reduction='none')\n"
    "                    * weights[pos_mask]).sum()\n"
    "        loss_loc = (F.smooth_l1_loss(positive[:, :4], encoded, reduction='none')\n"
    "                    * weights[pos_mask][:, None]).sum()\n")
FOCAL = (
    "p = objectness.sigmoid()\n"
    "        obj_loss = obj_loss * torch.where(pos_mask, 0.25 * (1 - p) ** 2, 0.75 * p ** 2)\n"
    "        ")

MISTAKES = [
    mistake(
        "loss-localisation-weight-one", "adds the localisation loss without its weight of 2",
        "The boxes count half of what they should against objectness and class. The total is "
        "objectness + class + twice the localisation.",
        "P1.loss.total/1",
        [(TOTAL, TOTAL.removesuffix(" 2 *"))]),
    mistake(
        "loss-class-weight-two", "gives the factor 2 to the class loss",
        "Boxes then count too little and classes too much. It is the localisation loss that counts "
        "twice.",
        "P1.loss.total/1", [(TOTAL, '"loss_total": loss_obj + 2 * loss_cls +')]),
    mistake(
        "loss-objectness-weight-two", "gives the factor 2 to the objectness loss",
        "Boxes then count too little and objectness too much. It is the localisation loss that "
        "counts twice.",
        "P1.loss.total/1", [(TOTAL, '"loss_total": 2 * loss_obj + loss_cls +')]),
    mistake(
        "loss-without-mining", "sums the objectness of all negatives",
        "Thousands of easy negatives drown the few positives. Sum only over positives and those "
        "negatives that were mined.",
        "P1.loss.obj/1", [("obj_loss[pos_mask | mined]", "obj_loss[pos_mask | neg_mask]")]),
    mistake(
        "loss-objectness-of-negatives", "leaves the positives out of the objectness loss",
        "The network learns to see nothing anywhere, which is right for all that it is asked. Sum "
        "over positives and mined negatives.",
        "P1.loss.obj/1", [("obj_loss[pos_mask | mined]", "obj_loss[mined]")]),
    mistake(
        "loss-positives-alone", "sums the objectness of positives alone",
        "The network never learns what background is. Sum over positives and mined negatives.",
        "P1.loss.obj/1", [("obj_loss[pos_mask | mined]", "obj_loss[pos_mask]")]),
    mistake(
        "loss-mines-by-logit", "mines by the negated objectness instead of the loss",
        "The negatives that the network is surest of are then mined. Give hard_negative_mining the "
        "binary cross-entropy of every anchor.",
        "P1.loss.obj/1", [(MINED, MINED.replace("zip(obj_loss", "zip(-objectness"))]),
    mistake(
        "loss-per-image", "divides the sums by the number of images",
        "Images with many objects then weigh more than others, and the losses have another size. "
        "Divide by the number of positives of the batch, at least 1.",
        "P1.loss.obj/1", [(DIVISOR, "num_positives = len(targets)")]),
    mistake(
        "loss-mean-over-images", "divides by the positives of each image and averages over images",
        "An object then counts less where an image has many of them. Sum over the whole batch, and "
        "divide once by the number of positives of the batch.",
        "P1.loss.obj/1", [(RETURNED, PER_IMAGE + RETURNED)]),
    mistake(
        "loss-means-of-images", "takes means within each image and averages them over the images",
        "An object then counts less where an image has many of them, and its four offsets count as "
        "one. Sum over the whole batch, and divide once by the number of positives of the batch.",
        "P1.loss.obj/1", [(RETURNED, """        alone = [(
            bce[pos | taken].mean(), F.cross_entropy(p[pos][:, 5:], label[pos] - 1),
            F.smooth_l1_loss(p[pos][:, :4], encode_boxes(box[pos], anchors[pos])))
            for bce, pos, taken, p, label, box in zip(
                obj_loss, pos_mask, mined, prediction, labels, boxes) if pos.any()]
        if alone:
            loss_obj, loss_cls, loss_loc = (sum(part) / len(targets) for part in zip(*alone))
""" + RETURNED)]),
    mistake(
        "loss-sum-over-images", "divides the losses of each image by its own positives alone",
        "The losses then grow with the number of images, and an object counts less where an image "
        "has many. Sum over the whole batch, and divide once by the positives of the batch.",
        "P1.loss.obj/1", [(RETURNED, PER_IMAGE.replace(" * len(targets)", "") + RETURNED)]),
    mistake(
        "loss-one-positive-per-image", "counts at least one positive for each image",
        "A batch with empty images is then divided by too much. Add up the positives of all "
        "images, and take 1 only where the whole batch has none.",
        "P1.loss.obj/1", [(
            DIVISOR, "num_positives = int(pos_mask.sum(dim=1).clamp(min=1).sum())")]),
    mistake(
        "loss-divided-by-all", "divides by the number of positives and mined negatives",
        "With three negatives for each positive all losses are a quarter of what is asked. Divide "
        "by the number of positives.",
        "P1.loss.obj/1", [(DIVISOR, "num_positives = max(1, int((pos_mask | mined).sum()))")]),
    mistake(
        "loss-divided-by-both", "divides by the number of positives and by that of images",
        "The losses then get smaller the larger the batch is. Divide by the number of positives of "
        "the batch, at least 1.",
        "P1.loss.obj/1", [(DIVISOR, DIVISOR + " * len(targets)")]),
    mistake(
        "loss-one-too-many", "divides by the number of positives plus 1",
        "Where there are few positives the losses are much too small. Divide by the number itself, "
        "and by 1 only where there is none.",
        "P1.loss.obj/1", [(DIVISOR, "num_positives = len(positive) + 1")]),
    mistake(
        "loss-divided-by-objects", "divides by the number of objects",
        "An object may have several positives, and the losses then grow with them. Divide by the "
        "number of positives of the batch.",
        "P1.loss.obj/1", [(
            DIVISOR, 'num_positives = max(1, sum(len(target["labels"]) for target in targets))')]),
    mistake(
        "loss-not-divided", "does not divide the sums",
        "The losses then grow with the number of objects, and so does every step of the optimizer. "
        "Divide by the number of positives of the batch, at least 1.",
        "P1.loss.obj/1", [(DIVISOR, "num_positives = 1")]),
    mistake(
        "loss-mean-of-objectness", "takes the mean of the objectness loss over positives and mined",
        "With three negatives for each positive it is a quarter of what is asked. Sum, and divide "
        "by the number of positives.",
        "P1.loss.obj/1", [(
            "obj_loss[pos_mask | mined].sum() / num_positives",
            "obj_loss[pos_mask | mined].mean()")]),
    mistake(
        "loss-objectness-of-last-image", "keeps the objectness loss of the last image alone",
        "All other images then teach no objectness. Add the losses of all images of the batch up.",
        "P1.loss.obj/1", [("obj_loss[pos_mask | mined].sum()",
                           "obj_loss[-1][(pos_mask | mined)[-1]].sum()")]),
    mistake(
        "loss-objectness-means-of-images", "adds the means of the images' objectness losses",
        "Divided by the positives once more, it comes out far too small. Sum over positives and "
        "mined negatives, and divide once.",
        "P1.loss.obj/1", [("obj_loss[pos_mask | mined].sum() /",
                           "sum(o[m].mean() for o, m in zip(obj_loss, pos_mask | mined)) /")]),
    mistake(
        "loss-mean-over-maps", "takes the losses of each map of each image and averages them",
        "Most maps of an image are without objects, so that the average is too low. Bring the "
        "anchors of all maps together first, and divide once by the positives of the batch.",
        "P1.loss.obj/1", [(
            "        prediction = torch.cat(\n",
            "        if len(targets) * len(anchors) > 1:\n"
            "            alone = [self([p[i : i + 1]], [target], [a]) for p, a in "
            "zip(predictions, anchors)\n"
            "                     for i, target in enumerate(targets)]\n"
            "            return {key: sum(loss[key] for loss in alone) / len(alone) "
            "for key in alone[0]}\n"
            "        prediction = torch.cat(\n")]),
    mistake(
        "loss-empty-images-left-out",
        "leaves images without objects out where others of the batch have some",
        "The background of such an image is never learned. Each of its mined negatives counts like "
        "those of the other images.",
        "P1.loss.obj/1", [(
            "        objectness = prediction[..., 4]  # [B, N]\n",
            "        objectness = prediction[..., 4]\n"
            "        neg_mask = neg_mask & (pos_mask.any(dim=1, keepdim=True) | "
            "~pos_mask.any())\n")]),
    mistake(
        "loss-flattened-without-permute",
        "flattens the maps without moving the channels to the end",
        "The eight numbers of an anchor are then taken from eight neighbouring cells. Permute "
        "[B, channels, H, W] to [B, H, W, channels] first.",
        "P1.loss.obj/1", [("p.permute(0, 2, 3, 1).reshape(", "p.reshape(")]),
    mistake(
        "loss-anchors-before-cells", "flattens the maps anchor by anchor instead of cell by cell",
        "Predictions then stand in other rows than their anchors. Move the channels to the end "
        "before you flatten, so that all anchors of a cell come before the next cell.",
        "P1.loss.obj/1", [(
            "p.permute(0, 2, 3, 1).reshape(len(p), -1, 5 + self.num_classes)",
            "p.unflatten(1, (-1, 5 + self.num_classes)).flatten(3).transpose(2, 3).flatten("
            "1, 2)")]),
    mistake(
        "loss-columns-first", "flattens the maps column by column instead of row by row",
        "Predictions then stand in other rows than their anchors. Permute [B, channels, H, W] to "
        "[B, H, W, channels], so that the rows of the map stay rows.",
        "P1.loss.obj/1", [("p.permute(0, 2, 3, 1)", "p.permute(0, 3, 2, 1)")]),
    mistake(
        "loss-class-plus-one", "compares the classes with the label instead of label - 1",
        "Every object is trained as the next class, and the last class is out of range. Matched "
        "labels count the background as 0, class logits do not.",
        "P1.loss.cls/1", [("labels[pos_mask] - 1", "labels[pos_mask]")]),
    mistake(
        "loss-three-classes", "flattens the maps for three classes whatever num_classes is",
        "With another number of classes the numbers of an anchor are torn apart, or do not fit at "
        "all. Take the number of classes from the argument.",
        "P1.loss.cls/1", [("5 + self.num_classes) for p", "8) for p")]),
    mistake(
        "loss-class-binary", "trains each class logit by itself with a binary cross-entropy",
        "The score of a detection is a softmax over the classes, which is another model. Use the "
        "cross-entropy over all class logits of an anchor.",
        "P1.loss.cls/1", [(
            CLASSES, "F.binary_cross_entropy_with_logits(positive[:, 5:], F.one_hot("
            'labels[pos_mask] - 1, self.num_classes).float(), reduction="sum")')]),
    mistake(
        "loss-sigmoid-twice", "takes a sigmoid of the objectness before the loss with logits",
        "The loss has one inside, so that even a sure and right answer keeps a loss. Give it the "
        "logits as they are.",
        "P1.loss.obj/1",
        [("objectness = prediction[..., 4]", "objectness = prediction[..., 4].sigmoid()")]),
    mistake(
        "loss-class-mean", "divides the class loss of an image twice",
        "A cross-entropy without reduction=\"sum\" is a mean already, over the positives of its "
        "image. Sum, and divide once by the positives of the batch.",
        "P1.loss.cls/1", [(
            CLASSES, "sum(F.cross_entropy(p[m][:, 5:], n[m] - 1) for p, m, n in zip(\n"
            "            prediction, pos_mask, labels) if m.any())")]),
    mistake(
        "loss-class-smoothed", "smooths the labels of the class loss",
        "The network is then kept from being sure of a class. The rule asks for the plain "
        "cross-entropy.",
        "P1.loss.cls/1", [(
            CLASSES, CLASSES.replace('reduction="sum"', 'reduction="sum", label_smoothing=0.1'))]),
    mistake(
        "loss-softmax-twice", "takes a softmax of the class logits before the cross-entropy",
        "The cross-entropy has one inside, so that even a sure and right answer keeps a loss. Give "
        "it the logits as they are.",
        "P1.loss.cls/1", [(CLASSES, CLASSES.replace("[:, 5:]", "[:, 5:].softmax(dim=1)"))]),
    mistake(
        "loss-pixels-regressed", "compares predicted offsets with boxes in pixels",
        "The localisation loss is huge and the network learns coordinates that decoding takes for "
        "offsets. Encode the matched boxes against their anchors first.",
        "P1.loss.loc/1", [(ENCODED, "encoded = boxes[pos_mask]")]),
    mistake(
        "loss-l1", "takes the absolute difference of offsets for the localisation loss",
        "Its gradient does not get smaller towards the target, so that boxes keep jumping around "
        "it. Use the smooth L1 loss with beta 1.",
        "P1.loss.loc/1", [("F.smooth_l1_loss(", "F.l1_loss(")]),
    mistake(
        "loss-small-beta", "uses the smooth L1 loss with a beta of 1/9",
        "Small errors then weigh more than in the loss that is asked for. Leave beta at 1.",
        "P1.loss.loc/1", [(OFFSETS, OFFSETS.replace('"sum")', '"sum", beta=1 / 9)'))]),
    mistake(
        "loss-mean-of-coordinates", "averages the four coordinates of each positive",
        "The localisation loss is then a quarter of what it should be. Sum over the coordinates.",
        "P1.loss.loc/1", [(OFFSETS, OFFSETS + " / 4")]),
    mistake(
        "loss-mean-times-positives", "multiplies the mean loss_loc of an image by its positives",
        'That is a quarter of the sum, and nan without objects. Use reduction="sum".',
        "P1.loss.loc/1", [(
            OFFSETS, "sum(F.smooth_l1_loss(p[m][:, :4], encode_boxes(b[m], anchors[m])) * m.sum()"
            "\n            for p, m, b in zip(prediction, pos_mask, boxes))")]),
    mistake(
        "loss-boxes-and-anchors-swapped", "encodes the anchors against the boxes",
        "The network then learns the way from the object to the anchor. Give the boxes first.",
        "P1.loss.loc/1", [(ENCODED, ENCODED.replace("(boxes[pos_mask], ", "(").removesuffix(")")
                           + ", boxes[pos_mask])")]),
    mistake(
        "loss-in-pixels", "decodes the predictions and compares boxes in pixels",
        "The loss is then huge, and large objects rule it. Compare offsets with encoded boxes.",
        "P1.loss.loc/1", [
            ("import encode_boxes, match", "import decode_boxes, encode_boxes, match"),
            (OFFSETS, OFFSETS.replace("positive[:, :4], encoded", "decode_boxes(positive[:, :4], "
             "anchors.expand_as(boxes)[pos_mask]), boxes[pos_mask]"))]),
    mistake(
        "loss-sigmoid-of-offsets", "takes a sigmoid of tx and ty before it compares them",
        "Offsets may be negative, and a sigmoid is not. Compare the predictions as they are.",
        "P1.loss.loc/1", [(OFFSETS, OFFSETS.replace(
            "positive[:, :4]", "torch.cat([positive[:, :2].sigmoid(), positive[:, 2:4]], 1)"))]),
    mistake(
        "loss-squared", "takes the squared difference of offsets for the localisation loss",
        "A single bad box then outweighs all others. Use the smooth L1 loss with beta 1.",
        "P1.loss.loc/1", [("F.smooth_l1_loss(", "F.mse_loss(")]),
    mistake(
        "loss-localisation-mean", "averages the localisation loss over all four coordinates",
        "It comes out a quarter of what it should be, and nan in a batch without objects. Sum over "
        "positives and coordinates, and divide by the number of positives.",
        "P1.loss.loc/1",
        [(OFFSETS + " / num_positives", "F.smooth_l1_loss(positive[:, :4], encoded)")]),
    mistake(
        "loss-nan-without-objects", "divides by 0 positives in a batch without objects",
        "The loss is nan or infinite, and one such batch ruins all weights. Divide by at least 1.",
        "P1.loss.empty/1", [(DIVISOR, "num_positives = len(positive)")]),
    mistake(
        "loss-zero-without-objects", "returns a loss of 0 for a batch without objects",
        "Such a batch could teach the network what background looks like, and has no gradient. "
        "Mined negatives count there as everywhere.",
        "P1.loss.empty/1", [(
            "        " + ENCODED,
            "        if len(positive) == 0:\n"
            '            return {name: torch.zeros((), requires_grad=True) for name in\n'
            '                    ("loss_obj", "loss_cls", "loss_loc", "loss_total")}\n'
            "        " + ENCODED)]),
    mistake(
        "loss-with-variances", "divides the offsets of the loss by variances",
        "Decoding here knows no variances, so that boxes come out much too far away. Compare the "
        "predictions with encode_boxes as it is.",
        "P1.loss.loc/1", [(
            ENCODED, ENCODED + " / torch.tensor([0.1, 0.1, 0.2, 0.2])")]),
    mistake(
        "loss-focal", "takes the focal loss for objectness",
        "It is another way to the same end as mining, and both together leave hardly anything to "
        "learn from. The rule asks for the plain binary cross-entropy.",
        "P1.loss.obj/1", [(MINED, FOCAL + MINED)]),
    mistake(
        "loss-positives-weighted", "counts the objectness of positives three times",
        "Mining has chosen three negatives for each positive already. Give all the weight 1.",
        "P1.loss.obj/1", [(MINED, MINED + "        obj_loss = obj_loss * (1 + 2 * pos_mask)\n")]),
    mistake(
        "loss-objectness-detached", "cuts the gradient of the objectness loss",
        "The number is right, but objectness never learns. Detach only what mining looks at.",
        "P1.loss.gradient/1", [("loss_obj = obj_loss[", "loss_obj = obj_loss.detach()[")]),
    mistake(
        "loss-mined-per-batch", "mines over the whole batch at once",
        "An image with hard negatives takes them all, and others get none. Mine in each image by "
        "itself, over all maps together.",
        "P1.loss.joint/2", [(
            MINED, "mined = self.hard_negative_mining(\n            obj_loss.flatten(), "
            "pos_mask.flatten(), neg_mask.flatten()\n        ).reshape(pos_mask.shape)\n")]),
    mistake(
        "loss-mined-per-map", "mines in every map by itself",
        "Each map then adds its own negatives, easy ones as well, also where it has no positive. "
        "Mine once per image, over the anchors of all maps together.",
        "P1.loss.joint/2", [(
            MINED, "sizes = [p[0].numel() // (5 + self.num_classes) for p in predictions]\n"
            "        parts = [part.split(sizes, dim=1) for part in "
            "(obj_loss, pos_mask, neg_mask)]\n"
            "        mined = torch.cat([torch.stack([self.hard_negative_mining(*image) "
            "for image in zip(*one)])\n"
            "                           for one in zip(*parts)], dim=1)\n")]),
    mistake(
        "loss-matched-per-map", "matches every map by itself",
        "Each object is then forced onto one anchor of every map, also where none fits it. Match "
        "an image once, against the anchors of all maps together.",
        "P1.loss.joint/1", [
            ("        anchors = torch.cat(anchors).to(prediction.device)  # [N, 4]\n",
             "        maps, anchors = anchors, torch.cat(anchors)\n"),
            ("            match_anchors_to_targets(\n"
             '                anchors, target["boxes"].to(anchors.device), '
             'target["labels"].to(anchors.device)\n'
             "            )\n",
             "            [torch.cat(field) for field in zip(*(match_anchors_to_targets(\n"
             '                m, target["boxes"], target["labels"]) for m in maps))]\n')]),
]
