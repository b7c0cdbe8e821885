import io
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageDraw

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


class Detections(dict):
    """A dict whose entries are attributes as well."""

    __getattr__ = dict.__getitem__

    def at(self, index):
        return Detections({name: value[index] for name, value in self.items()})


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100):
    batch = []
    for b in range(len(predictions[0])):
        pieces = []
        for m, (p, a) in enumerate(zip(predictions, anchors)):
            x = p[b].permute(1, 2, 0).reshape(len(a), -1)
            best = x[:, 5:].softmax(dim=-1).max(dim=-1)
            piece = Detections(boxes=x[:, :4], scores=x[:, 4].sigmoid() * best.values, labels=best.indices,
                               maps=torch.full_like(best.indices, m), anchors=a)
            pieces.append(piece.at(piece.scores >= score_threshold))
        d = Detections({name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]})
        d["boxes"] = decode_boxes(d.boxes, d.anchors)
        del d["anchors"]
        d = d.at(torch.argsort(d.scores, descending=True, stable=True))
        alive = torch.zeros(len(d.scores), dtype=torch.bool)
        for c in range(int(d.labels.max()) + 1 if len(d.labels) else 0):
            index = torch.where(d.labels == c)[0]
            alive[index[nms(d.boxes[index], d.scores[index], nms_threshold)]] = True
        batch.append(d.at(alive).at(slice(max_detections)))
    return batch


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    objects = int(np.sum([len(g) for g in ground_truths]))
    if objects == 0:
        return np.nan
    records = np.array([(float(s), i, j) for i, p in enumerate(predictions) for j, s in enumerate(p["scores"])], dtype=np.float64)
    records = records.reshape(-1, 3)[np.argsort(-records.reshape(-1, 3)[:, 0], kind="stable")]
    tables = {i: compute_iou(p["boxes"], g).numpy().copy() for i, (p, g) in enumerate(zip(predictions, ground_truths))}
    tp = np.zeros(len(records))
    for k, (_, i, j) in enumerate(records):
        table = tables[int(i)]
        if table.shape[1] == 0:
            continue
        g = table[int(j)].argmax()
        if table[int(j), g] >= iou_threshold:
            tp[k] = 1
            table[:, g] = -1  # found
    precision = np.cumsum(tp) / np.arange(1, len(tp) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.dot(envelope, tp) / objects


@torch.no_grad()
def detect(model, dataloader, anchors):
    model.eval()
    device = next(model.parameters()).device
    detections, targets = [], []
    for images, batch_targets in dataloader:
        predictions = [p.cpu() for p in model(images.to(device))]
        detections += decode_predictions(predictions, anchors)
        targets += batch_targets
    return detections, targets


def analyze_scale_performance(model, dataloader, anchors, results=None):
    counter = Counter()
    model.eval()
    with torch.inference_mode():
        for images, targets in dataloader:
            for found, target in zip(decode_predictions(model(images), anchors), targets):
                open_objects = defaultdict(list)
                for box, label in zip(target["boxes"], target["labels"].tolist()):
                    open_objects[label].append(box)
                for box, score, label, m in zip(found["boxes"], found["scores"], found["labels"].tolist(), found["maps"].tolist()):
                    if score < 0.5 or not open_objects[label]:
                        continue
                    iou = compute_iou(box[None], torch.stack(open_objects[label]))[0]
                    best = int(iou.argmax())
                    if iou[best] >= 0.5:
                        del open_objects[label][best]
                        counter[m, label] += 1
    table = np.array([[counter[m, c] for c in range(3)] for m in range(3)], dtype=np.int32)
    buffer = io.BytesIO()
    plt.figure(figsize=(4, 3))
    plt.imshow(table)
    plt.colorbar()
    plt.savefig(buffer, format="png")
    plt.close("all")
    path = Path("results" if results is None else results, "visualizations", "scale_performance.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return table


def visualize_detections(image, predictions, ground_truths, save_path):
    array = (image.detach().clamp(0, 1) * 255).byte().permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(array).resize((4 * array.shape[1], 4 * array.shape[0]))
    pen = ImageDraw.Draw(picture)
    for boxes, colour in ((ground_truths["boxes"], "lime"), (predictions["boxes"], "red")):
        for x1, y1, x2, y2 in boxes.mul(4).tolist():
            pen.rectangle([min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)], outline=colour, width=2)
    for (x, y, _, _), label, score in zip(predictions["boxes"].mul(4).tolist(), predictions["labels"], predictions["scores"]):
        pen.text((x, y), f"{CLASS_NAMES[label]} {score:.2f}", fill="red")
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    picture.save(save_path)
