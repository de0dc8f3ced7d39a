"""What holds for all tests."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_left_as_it_was() -> Iterator[None]:
    """Else another test, later and in another order each time, would listen in vain for what the log tells."""

    def settings() -> tuple[object, ...]:
        found = structlog.get_config()
        return *found["processors"], found["logger_factory"], found["cache_logger_on_first_use"]

    before = settings()
    yield
    assert settings() == before
