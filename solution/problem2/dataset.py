"""Stick figures as training examples: an image, and its keypoints in one of two encodings.

Conventions, the same in all files of this problem:

    B, K    images in a batch; keypoints of a figure (head, left hand, right hand, left foot,
            right foot: the order of KEYPOINT_NAMES everywhere)
    H, W    height and width of a heatmap; S where both are `heatmap_size`
    (x, y)  a point in pixels, x to the right, y down; x counts columns and y counts rows, so a
            point lies in `array[y, x]`. The centre of pixel (3, 1) is the point (3.0, 1.0).

An image has 128 x 128 pixels. A point of the image, multiplied by S / 128, is the same place on
its heatmap, and the way back is the division. Nothing is shifted by half a pixel.

Data on disk: `train/000000.png`, ... and, beside the folder, `train_annotations.json` with
`{"images": [{"id": 0, "file_name": "000000.png", "keypoints": [[x, y], ...]}, ...],
"keypoint_names": [...], "num_keypoints": 5}`; likewise `val`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")

# Where the course keeps its data: `datasets/keypoints`, two folders above this file.
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data: Path, split: str) -> tuple[Path, Path]:
    """Given: image folder and annotation file of a split, `"train"` or `"val"`.

    `KeypointDataset(*split_paths(DEFAULT_DATA, "val"), output_type="regression")`
    """
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class KeypointDataset(Dataset):
    """Images of stick figures with heatmaps or with coordinates as the target."""

    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64,
                 sigma=2.0):
        """Read the annotations; images are opened one by one in `__getitem__`.

        Args:
            image_dir: folder of the images.
            annotation_file: JSON file as described at the top of this module.
            output_type: `"heatmap"` or `"regression"`, the target that an item carries.
                Any other word is a ValueError, here and not at the first item.
            heatmap_size: S, the side of the square target heatmaps.
            sigma: standard deviation of the Gaussian around a keypoint, in heatmap pixels.

        Items come in the order of the JSON's `images`.
        """
        # BEGIN SOLUTION Task 2.1 KeypointDataset.__init__ P2.dataset
        # mutants: free (without Path; without encoding="utf-8"), paths can be texts; text is UTF-8
        # mutants: equivalent (swap "heatmap", "regression"), the order does not matter
        if output_type not in ("heatmap", "regression"):
            raise ValueError(f'output_type must be "heatmap" or "regression", got {output_type!r}')
        self.image_dir = Path(image_dir)
        self.images = json.loads(Path(annotation_file).read_text(encoding="utf-8"))["images"]
        self.output_type = output_type
        self.heatmap_size = heatmap_size
        self.sigma = sigma
        # END SOLUTION

    def __len__(self) -> int:
        """Number of images in the annotation file."""
        # BEGIN SOLUTION Task 2.1 KeypointDataset.__len__ P2.dataset
        return len(self.images)
        # END SOLUTION

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """`(image, target)` of the image at `index`.

        image: float32 `[1,128,128]`, grey, 0 is black and 1.0 is white (255 in the file). A
            file in colour is turned to grey.
        target with `output_type="heatmap"`: float32 `[K,S,S]` from `generate_heatmap`, after
            the keypoints were multiplied by S / image size.
        target with `output_type="regression"`: float32 `[2K]`, the coordinates divided by the
            image size, keypoint by keypoint: `x0, y0, x1, y1, ...`. The point (64, 32) of a
            128 x 128 image is stored as .5, .25.

        The image size is that of the opened image.
        """
        # BEGIN SOLUTION Task 2.1 KeypointDataset.__getitem__ P2.dataset
        entry = self.images[index]
        with Image.open(self.image_dir / entry["file_name"]) as file:
            # mutants: free (without .convert("L")), the rules say nothing of files in colour
            pixels = np.asarray(file.convert("L"), dtype=np.float32) / 255
        # mutants: free (without torch.from_numpy), an array is accepted as a tensor
        image = torch.from_numpy(pixels)[None]  # [1,H,W]

        # mutants: equivalent (swap height, width; swap width, height), the images are square
        # mutants: equivalent (without dtype=torch.float32), the division makes float32
        height, width = pixels.shape
        keypoints = torch.tensor(entry["keypoints"], dtype=torch.float32)
        relative = keypoints / torch.tensor([width, height])  # 0..1 across the image
        if self.output_type == "regression":
            return image, relative.flatten()
        size = self.heatmap_size
        return image, self.generate_heatmap(relative * size, size, size)
        # END SOLUTION

    def generate_heatmap(self, keypoints, height: int, width: int) -> torch.Tensor:
        """One Gaussian per keypoint.

        Channel k at row i and column j is `exp(-d^2 / (2 sigma^2))` with d the distance from
        the point (j, i) to keypoint k. A keypoint may lie between pixels and is not rounded;
        only one at an integer position has a peak of exactly 1, and no channel is rescaled to
        reach it. A keypoint is on the map when `0 <= x < width` and `0 <= y < height`; the
        channel of any other is zero everywhere.

        Args:
            keypoints: `[K,2]`, (x, y) in heatmap pixels.
            height, width: size of the maps, which need not be square.

        Returns:
            float32 `[K,height,width]`.

        With sigma 2, the keypoint (3, 1) gives 1.0 at `[0, 1, 3]` and, two columns further,
        exp(-4 / 8) = .6065 at `[0, 1, 5]`.

        Source: Tompson et al. 2014, "Joint training of a convolutional network and a graphical
        model for human pose estimation".
        """
        # BEGIN SOLUTION Task 2.2 generate_heatmap P2.heatmap
        # mutants: equivalent (without dtype=torch.float32), keypoints are float32 already
        keypoints = torch.as_tensor(keypoints, dtype=torch.float32)
        x, y = keypoints[:, :, None, None].unbind(1)  # [K,1,1] each
        columns = torch.arange(width)  # [W]
        rows = torch.arange(height)[:, None]  # [H,1]
        squared_distance = (columns - x) ** 2 + (rows - y) ** 2  # [K,H,W]
        heatmaps = torch.exp(-squared_distance / (2 * self.sigma**2))
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # [K,1,1]
        return torch.where(inside, heatmaps, 0.0)
        # END SOLUTION
