import json
import os

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset


class ShapeDetectionDataset(Dataset):
    def __init__(self, image_dir, annotation_file, transform=None):
        self.image_dir = image_dir
        self.transform = transform
        # read the images
        with open(annotation_file, "r") as f:
            self.images = json.load(f)["images"]
        # and once more for the annotations
        with open(annotation_file, "r") as f:
            self.annotations = json.load(f)["annotations"]
        print("Loaded", len(self.images), "images and", len(self.annotations), "annotations")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        info = self.images[index]
        path = os.path.join(self.image_dir, info["file_name"])
        image = Image.open(path).convert("RGB")
        if self.transform is not None:
            image = self.transform(image)
        else:
            image = np.array(image)  # H, W, 3
            image = image / 255.0
            image = np.transpose(image, (2, 0, 1))
            image = torch.tensor(image, dtype=torch.float32)
        boxes = []
        labels = []
        for ann in self.annotations:
            if ann["image_id"] == info["id"]:
                boxes.append(ann["bbox"])
                labels.append(ann["category_id"])
        if len(boxes) == 0:
            boxes = torch.zeros((0, 4), dtype=torch.float32)
            labels = torch.zeros((0,), dtype=torch.int64)
        else:
            boxes = torch.tensor(boxes, dtype=torch.float32)
            labels = torch.tensor(labels, dtype=torch.int64)
        target = {}
        target["boxes"] = boxes
        target["labels"] = labels
        return image, target


def collate_fn(batch):
    images = []
    targets = []
    for item in batch:
        images.append(item[0])
        targets.append(item[1])
    images = torch.stack(images)
    return images, targets
