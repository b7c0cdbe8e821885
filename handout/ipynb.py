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


def write(check: bool) -> list[Path]:
    """Build all notebooks, beside `walkthrough.py`, which they import; to check writes nothing.
    Returns the paths of those that are missing or not what their source builds."""
    stale = []
    for source in SOURCES:
        path, text = HERE / f"{source.stem}.ipynb", build(source)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.write_text(text, encoding="utf-8", newline="\n")
    return stale
