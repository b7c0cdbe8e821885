"""Which tests must not run beside each other when several processes share them."""

import pytest

# What tests of these folders look at (processes, sockets, control groups) they share.
ALONE = ("hostile", "rehearsal", "packaging")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file, or all of a folder that has to be alone, in one process (pytest-xdist)."""
    for item in items:
        folder = next((name for name in ALONE if name in item.path.parts), None)
        group = "platform" if folder in ("rehearsal", "packaging") else folder or str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
