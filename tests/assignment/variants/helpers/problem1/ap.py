import bisect
import math

import torch

from boxes import compute_iou


def rank(predictions):
    """(-score, image, place): a plain sort breaks ties as the rule says."""
    return sorted((-score, i, j) for i, p in enumerate(predictions) for j, score in enumerate(p["scores"].tolist()))


def judge(predictions, ground_truths, iou_threshold):
    taken = [set() for _ in ground_truths]
    tables = [compute_iou(boxes1=p["boxes"], boxes2=g).tolist() for p, g in zip(predictions, ground_truths)]
    for _, i, j in rank(predictions=predictions):
        free = [(v, -g) for g, v in enumerate(tables[i][j]) if g not in taken[i]]
        value, g = max(free, default=(-1.0, 0))
        hit = value >= iou_threshold
        if hit:
            taken[i].add(-g)
        yield hit


def area(hits, total):
    precisions, found = [], 0
    for k, hit in enumerate(hits, start=1):
        found += hit
        if hit:
            precisions.append(found / k)
    best, result = 0.0, 0.0
    for p in reversed(precisions):
        best = max(best, p)
        result += best / total
    return result


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    total = sum(len(g) for g in ground_truths)
    if not total:
        return math.nan
    return area(hits=judge(predictions=predictions, ground_truths=ground_truths, iou_threshold=iou_threshold), total=total)
