"""Build the notebooks: `notebooks/problem1.py`, cells between `# %%` lines, is problem1.ipynb.

They are stored without outputs, and with cell ids that count up, so that the same source gives the
same file.
"""

from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).parent
SOURCES = tuple(sorted((HERE / "notebooks").glob("*.py")))
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def build(source: Path) -> str:
    """The notebook's file as text."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat_minor = 5
    for index, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{index}", nbformat.from_dict({})
    return nbformat.writes(notebook) + "\n"


def target(source: Path) -> Path:
    """Where a source's notebook lies: beside `walkthrough.py`, which it imports."""
    return HERE / f"{source.stem}.ipynb"


def write() -> list[Path]:
    """Build all notebooks and return their paths."""
    for source in SOURCES:
        target(source).write_text(build(source), encoding="utf-8", newline="\n")
    return [target(source) for source in SOURCES]


def stale() -> list[Path]:
    """Notebooks that are missing or not what their source builds."""
    return [target(source) for source in SOURCES if not target(source).is_file()
            or target(source).read_text(encoding="utf-8") != build(source)]
