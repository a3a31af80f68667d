"""Gives the one process of pytest two processors before any test starts."""

from tests import harness

harness.two_processors()


def pytest_collection_modifyitems(items):
    """Leaves out test_session, which TensorFlow's test class skips anyway.

    Args:
        items: list of tests; changed in place.
    """
    items[:] = [item for item in items if item.name != "test_session"]
