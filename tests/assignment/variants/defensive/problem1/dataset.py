import json
import os

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset


class ShapeDetectionDataset(Dataset):
    def __init__(self, image_dir, annotation_file, transform=None):
        assert os.path.isdir(image_dir), f"no such folder: {image_dir}"
        assert os.path.isfile(annotation_file), f"no such file: {annotation_file}"
        assert transform is None or callable(transform)
        self.image_dir, self.transform = os.fspath(image_dir), transform
        with open(annotation_file, encoding="utf-8") as f:
            content = json.load(f)
        assert "images" in content and "annotations" in content
        ids = [entry["id"] for entry in content["images"]]
        assert len(set(ids)) == len(ids), "ids are unique"
        self.names = [entry["file_name"] for entry in content["images"]]
        positions = {id_: k for k, id_ in enumerate(ids)}
        self.annotations = [[] for _ in ids]
        for a in content["annotations"]:
            assert len(a["bbox"]) == 4
            if a["image_id"] in positions:
                self.annotations[positions[a["image_id"]]].append((a["bbox"], a["category_id"]))

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        with Image.open(os.path.join(self.image_dir, self.names[index])) as file:
            file.load()
            picture = file if file.mode == "RGB" else file.convert("RGB")
        if self.transform is None:
            data = np.frombuffer(picture.tobytes(), dtype=np.uint8).astype(np.float64) / 255.0
            image = torch.from_numpy(data.astype(np.float32)).reshape(picture.height, picture.width, 3).permute(2, 0, 1).contiguous()
            assert image.dtype == torch.float32 and 0 <= image.min() and image.max() <= 1
        else:
            image = self.transform(picture)
        boxes, labels = torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64)
        if self.annotations[index]:
            boxes = torch.tensor([b for b, _ in self.annotations[index]], dtype=torch.float32)
            labels = torch.tensor([c for _, c in self.annotations[index]], dtype=torch.int64)
        assert boxes.shape == (len(labels), 4)
        return image, {"boxes": boxes, "labels": labels}


def collate_fn(batch):
    assert len(batch) > 0
    assert all(image.shape == batch[0][0].shape for image, _ in batch), "images of one batch have one size"
    return torch.stack([image for image, _ in batch], dim=0), [target for _, target in batch]
