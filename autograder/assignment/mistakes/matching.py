"""Mistakes in matching: task 1.5."""

from . import mistake

CLAIMS = ("is_claim = torch.zeros_like(iou, dtype=torch.bool)\n"
          "    is_claim[anchor_of_gt, torch.arange(num_targets, device=iou.device)] = "
          "iou_of_gt > 0\n")
CLAIMING = ("    claim_iou, claiming_gt = torch.where(is_claim, iou, -torch.ones_like(iou))"
            ".max(dim=1)  # [N]\n")
BOXES = "torch.where(pos_mask[:, None], target_boxes[gt], 0)"
NEGATIVE = "neg_mask = (best_iou < neg_threshold) & ~claimed"

MISTAKES = [
    mistake(
        "match-nothing-forced", "forces no anchor on an object",
        "An object that no anchor overlaps well stays without a positive, so that the detector "
        "never learns it. Every object claims its best anchor, whatever the thresholds.",
        "P1.match.claim/1", [("= iou_of_gt > 0", "= False")]),
    mistake(
        "match-forced-stays-negative", "leaves a claimed anchor among the negatives",
        "One and the same anchor is then trained as object and as background. Take claimed anchors "
        "out of the negatives.",
        "P1.match.claim/2", [(NEGATIVE, "neg_mask = best_iou < neg_threshold")]),
    mistake(
        "match-band-negative", "takes every anchor that is not positive for a negative",
        "Anchors that show a good part of an object are trained as background. Between the two "
        "thresholds an anchor belongs to neither mask.",
        "P1.match.bands/1", [(NEGATIVE, "neg_mask = ~pos_mask")]),
    mistake(
        "match-positive-strict", "wants more than the positive threshold",
        "An IoU of exactly the threshold is then no positive. At the threshold an anchor is "
        "positive already.",
        "P1.match.bands/1", [("best_iou >= pos_threshold", "best_iou > pos_threshold")]),
    *(mistake(
        f"match-{which}-object", f"gives a positive to the {which} object whose IoU suffices",
        "Where objects overlap, an anchor then learns the box of another one than it fits best. "
        "It belongs to the object with which it has its best IoU.",
        "P1.match.bands/1", [(
            "iou.max(dim=1)  # [N]\n\n",
            "iou.max(dim=1)\n"
            "    enough = iou >= pos_threshold\n"
            f"    best_gt = torch.where(enough.any(dim=1), {place}, best_gt)\n\n")])
        for which, place in (
            ("first", "enough.int().argmax(dim=1)"),
            ("last", "num_targets - 1 - enough.flip(1).int().argmax(dim=1)"))),
    mistake(
        "match-negative-of-any-object",
        "takes an anchor for a negative that overlaps some object too little",
        "Nearly every anchor is far from one of several objects. Compare the best IoU that an "
        "anchor has with any of them.",
        "P1.match.bands/1",
        [(NEGATIVE, "neg_mask = (iou < neg_threshold).any(dim=1) & ~pos_mask")]),
    mistake(
        "match-negative-inclusive", "takes an IoU equal to the negative threshold for a negative",
        "The rule draws the line below the threshold, so that such an anchor is ignored. Only what "
        "is strictly lower is negative.",
        "P1.match.bands/1", [("best_iou < neg_threshold", "best_iou <= neg_threshold")]),
    mistake(
        "match-thresholds-fixed", "compares with .5 and .3 whatever thresholds it is given",
        "The arguments have no effect. Compare with pos_threshold and neg_threshold.",
        "P1.match.bands/1", [
            ("best_iou >= pos_threshold", "best_iou >= 0.5"),
            ("best_iou < neg_threshold", "best_iou < 0.3")]),
    mistake(
        "match-masks-as-numbers", "returns masks of zeros and ones instead of bool",
        "As an index such a mask takes the first two anchors again and again, and ~ does not turn "
        "it around. Return what the comparisons give.",
        "P1.match.bands/2", [(
            "matched_boxes, pos_mask, neg_mask\n",
            "matched_boxes, pos_mask.long(), neg_mask.long()\n")]),
    mistake(
        "match-changes-labels", "changes the labels that it is given",
        "The second epoch gets the changed ones, if targets are kept. Add the 1 of the background "
        "in a new tensor, without +=.",
        "P1.match.bands/3", [(
            "    matched_labels = torch.where(pos_mask, target_labels[gt] + 1,",
            "    target_labels += 1\n"
            "    matched_labels = torch.where(pos_mask, target_labels[gt],")]),
    mistake(
        "match-labels-from-zero", "gives positives their class without the 1 of the background",
        "Class 0 is then the same as background, and one class is never learned. On positives the "
        "label is the class + 1.",
        "P1.match.labels/1", [("target_labels[gt] + 1", "target_labels[gt]")]),
    mistake(
        "match-background-minus-one", "gives every anchor that is not positive the label -1",
        "The loss takes the label 0 for background, and fails or counts from the end with another "
        "one. Everywhere but on positives the label is 0.",
        "P1.match.labels/1", [
            ("target_labels[gt] + 1, BACKGROUND)", "target_labels[gt] + 1, -1)"),
            ("torch.full_like(nothing, BACKGROUND,", "torch.full_like(nothing, -1,")]),
    mistake(
        "match-boxes-on-negatives", "fills in a box for anchors that are not positive as well",
        "Whoever counts boxes that are not 0 takes background for objects. Everywhere but on "
        "positives the box is 0.",
        "P1.match.boxes/1", [(BOXES, "target_boxes[gt]")]),
    mistake(
        "match-boxes-encoded", "returns encoded offsets in the place of matched boxes",
        "The loss encodes the boxes itself and would do it twice. Return the boxes in pixels.",
        "P1.match.boxes/1",
        [(BOXES, BOXES.replace("target_boxes[gt]", "encode_boxes(target_boxes[gt], anchors)"))]),
    mistake(
        "match-claim-loses", "gives a claimed anchor to the object that overlaps it most",
        "The object that claimed the anchor is left without any, if another one covers it more. A "
        "claim comes first: label and box are those of the claiming object.",
        "P1.match.claim-wins/1",
        [("gt = torch.where(claimed, claiming_gt, best_gt)", "gt = best_gt")]),
    mistake(
        "match-claims-below-threshold",
        "lets no object claim an anchor that is positive by the thresholds already",
        "An anchor that fits two objects then goes to the one that overlaps it more, and the other "
        "one may be left without any. Let every object claim, whatever its best IoU is.",
        "P1.match.claim-wins/1",
        [("= iou_of_gt > 0", "= (iou_of_gt > 0) & (iou_of_gt < pos_threshold)")]),
    mistake(
        "match-last-claim-wins", "lets a later object overwrite the claim of an earlier one",
        "Which object keeps a contested anchor then depends on the order of the list. The higher "
        "IoU has it, and of equal ones the lower index.",
        "P1.match.conflict/1", [(
            CLAIMING,
            "    claim_iou = torch.where(is_claim, iou, -torch.ones_like(iou)).amax(dim=1)\n"
            "    claiming_gt = torch.zeros_like(best_gt)\n"
            "    for gt, anchor in enumerate(anchor_of_gt):\n"
            "        claiming_gt[anchor] = gt\n")]),
    mistake(
        "match-first-claim-wins", "leaves a contested anchor to the object that comes first",
        "Which object keeps it then depends on the order of the list. The higher IoU has it, and "
        "of equal ones the lower index.",
        "P1.match.conflict/1", [(
            CLAIMING,
            "    claim_iou = torch.where(is_claim, iou, -torch.ones_like(iou)).amax(dim=1)\n"
            "    claiming_gt = is_claim.int().argmax(dim=1)\n")]),
    mistake(
        "match-claims-second-best", "lets an object that loses its best anchor claim another one",
        "It is then trained on an anchor that fits it even less. An object claims its best anchor "
        "or nothing.",
        "P1.match.conflict/1", [(
            CLAIMS, "is_claim, free = torch.zeros_like(iou, dtype=torch.bool), iou.clone()\n"
            "    for gt in iou_of_gt.argsort(descending=True, stable=True):\n"
            "        best, anchor = free[:, gt].max(dim=0)\n"
            "        is_claim[anchor, gt] = best > 0\n"
            "        free[anchor] = 0\n")]),
    mistake(
        "match-claims-one-by-one",
        "lets each object in turn claim the best anchor that earlier ones have left",
        "An object that loses its best anchor is then trained on one that fits it even less. An "
        "object claims its best anchor or nothing.",
        "P1.match.conflict/1", [(
            CLAIMS, "is_claim, free = torch.zeros_like(iou, dtype=torch.bool), iou.clone()\n"
            "    for gt in range(num_targets):\n"
            "        best, anchor = free[:, gt].max(dim=0)\n"
            "        is_claim[anchor, gt] = best > 0\n"
            "        free[anchor] = 0\n")]),
    mistake(
        "match-ties-all-claimed", "claims every anchor that ties for the best",
        "An object with several equally good anchors gets all of them, even those far below the "
        "thresholds. Only the one with the lowest index is claimed.",
        "P1.match.ties/1", [(CLAIMS, "is_claim = (iou == iou_of_gt) & (iou_of_gt > 0)\n")]),
    mistake(
        "match-claims-without-overlap", "lets an object claim an anchor that it does not overlap",
        "With an IoU of 0 everywhere the best anchor is the first one, wherever it lies. An object "
        "that overlaps no anchor claims none.",
        "P1.match.no-overlap/1",
        [("= iou_of_gt > 0", "= True"), ("claim_iou > 0", "claim_iou >= 0")]),
    mistake(
        "match-fails-without-objects", "looks for a best object where there is none",
        "A maximum over no objects raises, so that training ends at the first empty image. Treat "
        "an image without objects first: all its anchors are negative.",
        "P1.match.empty/1", [("if num_targets == 0:", "if num_targets < 0:")]),
    mistake(
        "match-empty-ignored", "ignores all anchors of an image without objects",
        "Such images then teach nothing about background. All their anchors are negative.",
        "P1.match.empty/1", [(
            "return no_label, torch.zeros_like(anchors), nothing, ~nothing",
            "return no_label, torch.zeros_like(anchors), nothing, nothing")]),
]
