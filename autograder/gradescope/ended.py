"""Mark the results of a grader that was ended: `python -m autograder.gradescope.ended FILE CODE`.

They are true as they are: what was judged has its points, and what was not says so. Only the end
itself is missing in them, for the instructor. This imports little: memory may have been the reason.
"""

import json
import sys
from pathlib import Path

from ..engine.files import write_whole


def mark(path: Path, code: int) -> None:
    """Say in a results.json that the grader ended with this exit code."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["output"] = (f"The grader was ended before it had finished (exit code {code}). This is "
                         "not your fault; your instructor can see it and will grade again.\n"
                         + content["output"])
    content["extra_data"].update(grader_broke=True, exit_code=code)
    write_whole(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    mark(Path(sys.argv[1]), int(sys.argv[2]))
