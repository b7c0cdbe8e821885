"""What a submission hands in of a trained network: its weights, its operations, its numbers."""

import argparse
import io
import json
import warnings
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray  # type: ignore[attr-defined]

from ...engine.sandbox.student import Missing, Unusable

MAX_BYTES = 400 * 2**20
PREFIXES = ("module.", "_orig_mod.")  # DataParallel, torch.compile
WRAPPERS = ("model_state_dict", "state_dict", "model")
CLAIM_FILES = ("metrics.json", "training_log.json")
MAX_CLAIMS = 2**20
# What numpy's numbers and arrays are made of: a loss or an epoch may lie beside the weights.
NUMBERS = [np.dtype, np.ndarray, multiarray.scalar, multiarray._reconstruct,
           (multiarray.scalar, "numpy.core.multiarray.scalar"),  # of numpy 1
           *(getattr(np.dtypes, name) for name in np.dtypes.__all__)]
# What a script's options are made of, which often lie beside the weights as well.
OPTIONS: list[Any] = [argparse.Namespace, (PurePosixPath, "pathlib.PosixPath"),
                      (PureWindowsPath, "pathlib.WindowsPath")]
MAX_GRAPH = 2**21  # bytes of operations without weights; those of the solution take 60 kB


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a weights file, without wrappers and prefixes.

    Raises:
        Missing, Unusable: with a sentence that says what the file is instead.
    """
    name = f"results/{path.name}"
    if not path.is_file():
        raise Missing(f"{name} is missing: run train.py and hand its results in")
    if path.stat().st_size > MAX_BYTES:
        raise Unusable(f"{name} is larger than {MAX_BYTES // 2**20} MiB")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise Unusable(f"{name} is empty")
    if start.startswith(b"version https://git-lfs"):
        raise Unusable(
            f"{name} is a Git LFS pointer, not the weights: run `git lfs pull`, or commit the file "
            "without LFS"
        )
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                    raise Unusable(f"{name} unpacks to more than {MAX_BYTES // 2**20} MiB")
        with torch.serialization.safe_globals([*NUMBERS, *OPTIONS]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (MemoryError, Unusable):
        raise
    except Exception as error:  # the unpickler can fail in any way on bytes that are no weights
        if not start.startswith((b"PK", b"\x80")):
            raise Unusable(f"{name} is not a file written by torch.save") from None
        if "Unsupported operand" in str(error):
            raise Unusable(
                f"{name} holds more than tensors, or was saved with a pickle_protocol of its own: "
                "save model.state_dict(), and leave that out") from None
        if b"Weights only load failed" in str(error).encode():
            raise Unusable(
                f"{name} holds more than tensors: save model.state_dict(), not the whole model"
            ) from None
        raise Unusable(f"{name} is truncated or damaged") from None
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise Unusable(f"{name} holds a {type(content).__name__}, not a state dict")
    if not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise Unusable(f"{name} is not a state dict: some of its values are no tensors")
    for key, value in content.items():
        if (value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_nested
                or "float8" in str(value.dtype)):
            raise Unusable(f"{name} holds {str(key)[:80]} in numbers of another kind (sparse, "
                           "meta, quantised or float8): save model.state_dict() as train.py "
                           "has it")
    return {_without_prefix(str(key)): value for key, value in content.items()}


def _without_prefix(key: str) -> str:
    stripped = True
    while stripped:
        stripped = False
        for prefix in PREFIXES:
            if key.startswith(prefix):
                key, stripped = key[len(prefix):], True
    return key


def claims(student) -> list[list]:
    """Numbers in the submission's `metrics.json` and `training_log.json`: `[[path, value], ...]`.

    A path joins the file's name and the keys; of a curve the highest value counts. What cannot be
    read claims nothing.
    """
    found = []

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}: {key}")
        elif isinstance(value, list) and value and all(isinstance(v, float) for v in value):
            found.append([path[:200], max(value)])
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append([path[:200], float(value)])

    for name in CLAIM_FILES:
        path = student.folder / "results" / name
        try:
            if path.is_file() and path.stat().st_size <= MAX_CLAIMS:
                walk(json.loads(path.read_text(encoding="utf-8-sig")), name)
        except (OSError, ValueError, RecursionError, OverflowError):
            pass
    return found[:1000]


def graph(net: torch.nn.Module, batches: list[torch.Tensor]) -> torch.Tensor | None:
    """A network in evaluation mode as plain tensor operations without its weights, in uint8 `[n]`.
    Afterwards the network has none either.

    Args:
        batches: one or two of them, of the size that the operations are meant for.

    Returns:
        None where no such operations give what the network gives.
    """
    written = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of what depends on the input; outputs are compared
            traced = torch.jit.trace(net, batches[0], check_trace=False, strict=False)
            for got, want in zip(outputs(traced(batches[-1])), outputs(net(batches[-1]))):
                if not torch.allclose(got, want, 1e-3, 1e-3):
                    return None
            own = net.state_dict()
            for name, value in [*traced.named_parameters(), *traced.named_buffers()]:
                if name in own:
                    value.set_(value.new_empty(0))
            torch.jit.save(traced, written)
    except Exception:  # code of the student may do what has no such form
        return None
    content = np.frombuffer(written.getvalue(), np.uint8)
    return torch.from_numpy(content.copy()) if len(content) <= MAX_GRAPH else None


def outputs(output) -> list[torch.Tensor]:
    """What a network returned: one tensor, or several of them."""
    return [output] if isinstance(output, torch.Tensor) else list(output)
