"""Use cases run on ports in memory, in milliseconds. A few tests that need PostgreSQL are marked `database`."""

from __future__ import annotations

import pytest

from adapters.memory.ports import MemoryPorts, memory_ports


@pytest.fixture
def ports() -> MemoryPorts:
    """Return new, empty ports."""
    return memory_ports()
