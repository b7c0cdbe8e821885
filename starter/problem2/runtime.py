"""Given to students, the same file in both problems: how training uses the machine.

Nothing here is about detection or keypoints. It picks a device, finds out whether bfloat16 is
faster than float32 on it, and saves files so that an interruption never leaves half of one.
"""

import json
import os
import platform
import random
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


def choose_device() -> torch.device:
    """CUDA where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@dataclass(frozen=True)
class Precision:
    """How the arithmetic is done: plain float32, or bfloat16 autocast on channels-last tensors."""

    device: torch.device
    bfloat16: bool

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """Move the model to the device, and its weights to the memory layout of this precision."""
        layout = torch.channels_last if self.bfloat16 else torch.contiguous_format
        return model.to(self.device).to(memory_format=layout)

    def autocast(self):
        """Context manager for the forward passes; parameters and gradients stay float32.

        It may stay open over many steps: without a cache, every forward pass rounds the weights
        as they are then (a cache would keep those of the first step until the context closes).
        """
        if self.bfloat16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=False)
        return nullcontext()

    def __str__(self) -> str:
        return "bfloat16 autocast, channels last" if self.bfloat16 else "float32"


def choose_precision(
    model: torch.nn.Module, images: torch.Tensor, device: torch.device
) -> Precision:
    """Time two training steps of `model` on `images` in each precision and return the faster one.

    bfloat16 is about 3x faster than float32 on a CPU with AVX512-BF16 or AMX and slower on one
    without, so it is measured. The model comes back on `device` with its weights, gradients and
    statistics as they were.
    """
    if device.type == "mps":
        return Precision(device, bfloat16=False)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    seconds = {}
    for bfloat16 in (False, True):
        precision = Precision(device, bfloat16)
        precision.prepare(model)
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            with precision.autocast():
                output = model(images.to(device))
            outputs = output if isinstance(output, (list, tuple)) else [output]
            sum(o.float().mean() for o in outputs).backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begin)
        seconds[bfloat16] = min(times[1:])  # the first step also allocates and picks kernels
    model.zero_grad(set_to_none=True)
    model.load_state_dict(state)
    return Precision(device, bfloat16=seconds[True] < seconds[False])


def save_atomically(state: object, path: Path) -> None:
    """`torch.save` beside `path`, then rename: a reader sees the old file or the new one, whole."""
    partial = Path(f"{path}.partial")
    torch.save(state, partial)
    os.replace(partial, path)


def write_json(value: object, path: Path) -> None:
    """Write `value` as JSON (indent 2), as atomically as `save_atomically`."""
    partial = Path(f"{path}.partial")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """Device, processor, threads and versions, for the record beside a measured number."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if device.type == "cpu" and cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines()
                  if line.startswith("model name")]
        name = models[0] if models else name
    return {"device": device.type, "processor": name, "threads": torch.get_num_threads(),
            "python": platform.python_version(), "torch": torch.__version__,
            "numpy": np.__version__}
