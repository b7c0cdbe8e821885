"""Weights that are not weights."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

MODEL = """
import torch

class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 3)
        self.norm = torch.nn.BatchNorm1d(3)

    def forward(self, x):
        return self.layer(x[:, 0, 0, :2])[:, :2]
"""


@dataclass(frozen=True)
class Weights:
    """A file in the place of trained weights, and what the grader makes of it."""

    name: str
    what: str
    write: Callable[[Path], None]
    says: str = ""  # a part of the sentence about it; "" where any failure will do


def state() -> dict[str, torch.Tensor]:
    """What the model of these tests would save."""
    namespace: dict = {}
    exec(MODEL, namespace)
    return namespace["Tiny"]().state_dict()


class _Command:
    """Becomes a call when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Command(path.parents[2] / "unpickled")))


def _zipped_pickle(path: Path) -> None:
    torch.save({"state_dict": _Command(path.parents[2] / "unpickled")}, path)


def _bomb(path: Path) -> None:
    """A megabyte that unpacks to a gigabyte: the weights' archive, compressed."""
    stored = io.BytesIO()
    torch.save({"layer.weight": torch.zeros(1)}, stored)
    with zipfile.ZipFile(stored) as archive, zipfile.ZipFile(
            path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in archive.namelist():
            if name.endswith("data/0"):
                with packed.open(name, "w", force_zip64=True) as entry:
                    for _ in range(64):
                        entry.write(bytes(1 << 24))
            else:
                packed.writestr(name, archive.read(name))


def _pickle_bomb(path: Path) -> None:
    """A pickle of a few bytes that builds lists of lists without end."""
    body = b"(lp0\n" + b"".join(b"(lp%d\n" % (i + 1) + b"g%d\na" % i * 10 for i in range(12))
    path.write_bytes(b"\x80\x02" + body + b".")


def _nested(path: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")


def _keys(path: Path) -> None:
    torch.save({"other.weight": torch.zeros(3, 2)}, path)


def _more_keys(path: Path) -> None:
    torch.save({**state(), **{f"extra.{i}": torch.zeros(1) for i in range(500)}}, path)


def _shapes(path: Path) -> None:
    torch.save({key: value.new_zeros(7, 7) for key, value in state().items()}, path)


def _nan(path: Path) -> None:
    torch.save({**state(), "layer.bias": torch.tensor([1.0, float("nan"), float("inf")])}, path)


def _huge_view(path: Path) -> None:
    """A tensor of a terabyte with one number behind it."""
    torch.save({**state(), "layer.weight": torch.zeros(1).expand(2**38)}, path)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        os.ftruncate(file.fileno(), 2 << 30)


def _lies_about_size(path: Path) -> None:
    """An archive whose directory says that an entry has exabytes."""
    torch.save(state(), path)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 20:at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    path.write_bytes(data)


def _cut(path: Path) -> None:
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-300])


def _lies_in_text(path: Path) -> None:
    """Keys that are markup and megabytes of text."""
    torch.save({"<script>\x1b[2J=1+1": torch.zeros(1), "k" * 10**6: torch.zeros(1)}, path)


WEIGHTS = [
    Weights("malicious pickle", "A pickle that runs a command.", _pickle, "more than tensors"),
    Weights("malicious pickle in an archive", "The same in the format of torch.save.",
            _zipped_pickle, "more than tensors"),
    Weights("zip bomb", "A megabyte that unpacks to a gigabyte.", _bomb),
    Weights("pickle bomb", "A few bytes that unpack to lists without end.", _pickle_bomb),
    Weights("nested pickle", "Lists in lists, two hundred thousand deep.", _nested),
    Weights("wrong keys", "Tensors that the network does not have.", _keys, "does not hold what"),
    Weights("more keys", "More tensors than the network has.", _more_keys, "does not have"),
    Weights("wrong shapes", "The right names with other shapes.", _shapes, "other shapes"),
    Weights("nan", "Weights that are not finite.", _nan, "nan or infinity"),
    Weights("terabyte", "A tensor of a terabyte with one number in it.", _huge_view),
    Weights("sparse file", "Two gigabytes of nothing.", _sparse),
    Weights("lies about its size", "An archive with a wrong directory.", _lies_about_size),
    Weights("text", "A text that is called weights.",
            lambda path: path.write_text("trust me, 100 %"), "not a file written by torch.save"),
    Weights("code", "A Python program that is called weights.",
            lambda path: path.write_text("import os; os.system('touch unpickled')"),
            "not a file written by torch.save"),
    Weights("empty", "A file without content.", lambda path: path.write_bytes(b""), "is empty"),
    Weights("pointer", "A pointer of Git LFS.",
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "LFS"),
    Weights("cut", "A file that lacks its end.", _cut, "truncated or damaged"),
    Weights("a tensor", "Weights that are no state dict.",
            lambda path: torch.save(torch.zeros(3), path), "not a state dict"),
    Weights("markup", "Keys that are markup and endless.", _lies_in_text, "does not hold what"),
]
