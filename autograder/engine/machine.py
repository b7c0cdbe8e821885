"""Whether this machine is fit: its Python, torch, make, disk and browser."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 14)  # Python versions for which the pinned packages exist
FREE = 2e9  # bytes: the packages take 1 GB, and a check may write another one

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
            "msedge")
APPLICATIONS = (  # where they are installed without being on the path
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


@dataclass(frozen=True)
class Finding:
    """Something that was looked for: whether this machine has it, what was found or what to do
    without it, and whether nothing can be graded without it."""

    name: str
    there: bool
    text: str
    required: bool = False

    def __str__(self) -> str:
        return f"  {'ok     ' if self.there else 'MISSING'}  {self.name:<18} {self.text}"


def examine(folder: Path) -> list[Finding]:
    """What the commands need of this machine, which write into `folder` and temporary folders."""
    oldest, newest, here = (".".join(map(str, version))
                            for version in (OLDEST, NEWEST, sys.version_info[:3]))
    # In a process of its own: it takes seconds, and a broken torch may crash.
    torch = subprocess.run([sys.executable, "-c", "import torch; print(torch.__version__)"],
                           capture_output=True, text=True)
    why = " ".join(torch.stderr.strip().splitlines()[-1:])
    broken = (f"{why}: {sys.executable} -m pip install -r requirements-torch.txt"
              if torch.returncode else "")
    make, chromium = shutil.which("make"), browser()
    free = {place: shutil.disk_usage(place).free for place in (folder, Path(tempfile.gettempdir()))}
    place = min(free, key=free.__getitem__)
    return [
        Finding("Python", OLDEST <= sys.version_info[:2] <= NEWEST,
                f"{here} (needed: {oldest} to {newest})", required=True),
        Finding("torch", not broken, broken or torch.stdout.strip(), required=True),
        Finding("make", make is not None, make or
                f"use `{sys.executable} -m autograder grade starter` instead of `make grade`"),
        Finding("disk", free[place] >= FREE,
                f"{free[place] / 1e9:.1f} GB free in {place} (needed: {FREE / 1e9:g} GB)"),
        Finding("Chromium", chromium is not None, chromium or "needed only to print pages as PDF "
                "and to test them: install Chrome or Chromium")]


def browser() -> str | None:
    """Path of a Chromium: `$CHROMIUM`, one on the path, an installed application, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    on_path = (shutil.which(name) for name in BROWSERS)
    installed = (path for path in APPLICATIONS if Path(path).exists())
    return next((path for path in (*on_path, *installed) if path), None)
