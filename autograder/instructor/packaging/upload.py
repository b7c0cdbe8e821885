"""Build autograder.zip, the upload to Gradescope.

    setup.sh, run_autograder   what the platform calls
    autograder/                the grading package with public and hidden references
    handout/rules.md           the rules that messages quote
    datasets/                  the sizes and names that checks share with the images
    starter/                   what the image grades to check itself
    requirements*.txt          pinned

There is no solution in it, and no trained network: what the checks compare with is data.
"""

import json
import shlex
import tempfile
from pathlib import Path

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine import archive, references
from ...engine.files import write_whole
from ...engine.results import gradescope
from ...gradescope import leaderboard
from ...gradescope.run import broke
from .. import building
from . import contents

MAX_BYTES = 30_000_000  # of the archive, which has about 6 MB
PLATFORM = "autograder/gradescope"
SCRIPTS = ("setup.sh", "run_autograder")
TORCH_INDEX = 'TORCH_INDEX="${TORCH_INDEX:-}"'  # the line of setup.sh


def files(hidden: Path, torch_index: str = "") -> dict[str, bytes]:
    """All files of the upload, with the references in `hidden` and the index from which `setup.sh`
    gets torch.

    Raises:
        ValueError: a file would give the solution away, or the starter cannot be generated from it.
    """
    found = contents.shared() | contents.grader(rooms=["gradescope"])
    found |= {contents.reference_name(path): path.read_bytes() for path in hidden.iterdir()}
    for name in SCRIPTS:
        found[name] = found.pop(f"{PLATFORM}/{name}")
    if torch_index:
        script = found["setup.sh"].decode()
        chosen = f"TORCH_INDEX={shlex.quote(torch_index)}"
        found["setup.sh"] = script.replace(TORCH_INDEX, chosen, 1).encode()
    found[f"{PLATFORM}/broke.json"] = json.dumps(gradescope(broke()), indent=1).encode()
    contents.refuse_leaks(found)
    return found


def image(torch_index: str) -> str:
    """What the image will install, and what it costs, in a sentence or two."""
    pins = "The image needs a Python from 3.10 to 3.14: Ubuntu 22.04, 24.04, Debian 12, 13."
    if torch_index:
        return f"{pins} It installs torch from {torch_index}."
    return (f"{pins} WARNING: no TORCH_INDEX is named, and the image's own index may install torch "
            "with CUDA: 4.7 GB on disk in place of 1 GB. Grading then needs more memory than the "
            "smallest container (768 MB) has: choose a larger one, or name an index of CPU wheels.")


def write(out: Path, found: dict[str, bytes]) -> int:
    """Write the archive and return its size in bytes.

    Raises:
        ValueError: it would have `MAX_BYTES` or more; what was there before stays.
    """
    content = archive.pack(found, SCRIPTS)
    if len(content) >= MAX_BYTES:
        raise ValueError(f"{out} would have {len(content) / 1e6:.1f} MB, and an upload should "
                         f"stay under {MAX_BYTES / 1e6:.0f}")
    write_whole(out, content)
    return len(content)


def build(out: Path, seed: int, with_leaderboard: bool = False, torch_index: str = "") -> int:
    """Run the solution on hidden inputs, with the data profile of the public references, write the
    archive and return its size in bytes.

    Args:
        seed: of the hidden inputs. Whoever knows it can draw them: keep it secret.
        with_leaderboard: draw the questions of the leaderboard as well.
        torch_index: see `files`.

    Raises:
        Wrong, BadReferences: the solution gives no answer, or the public references are damaged.
        ValueError: see above.
    """
    public = references.load(ASSIGNMENT, "public").made
    made = {key: value for key, value in public.items() if key != "seed"}
    with tempfile.TemporaryDirectory(prefix="hidden-") as folder:
        solved = building.build(ASSIGNMENT, KIT / "solution", "hidden", seed, made)
        references.save(solved, Path(folder))
        if with_leaderboard:
            leaderboard.save(ASSIGNMENT, seed, made, Path(folder))
        return write(out, files(Path(folder), torch_index))
