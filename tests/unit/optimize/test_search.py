import re

import pytest

from admf_ray.errors import CapacityError
from admf_ray.optimize import check_memory
from tests.series import daily_bars, single_search


def test_a_search_beyond_the_free_memory_is_refused_with_the_arithmetic() -> None:
    search = single_search(daily_bars([1.0, 2.0, 3.0]), "price_threshold", {"threshold": 2.0})
    check_memory(search, spans=1_000)
    # The best candidate x 10^15 spans x 13 metrics x 8 bytes = 104,000,000 GB
    message = "1 candidates of 64 B, the best 1 of 1000000000000000 spans x 13 metrics of 8 B"
    with pytest.raises(
        CapacityError, match=rf"{re.escape(message)}, and a hub of 5 x 3 of 8 B take 104000000.0 GB; .* are free"
    ):
        check_memory(search, spans=10**15)
