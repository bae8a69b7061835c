import pytest

from admf_ray.risk.sizing import SIZINGS, whole_lots


@pytest.mark.parametrize(
    ("quantity", "lot", "rounded"),
    [
        (94.8, 1.0, 94.0),
        (-94.8, 1.0, -94.0),
        (0.29999999999999993, 0.1, 0.30000000000000004),  # three lots but for rounding: none is lost
        (199.0, 100.0, 100.0),
        (99.0, 100.0, 0.0),
        (0.123456, 0.0, 0.123456),
        (0.0, 1.0, 0.0),
        (1e19, 1.0, 1e19),  # beyond 64-bit integers
        (-1e300, 1e-9, -1e300),
    ],
)
def test_quantities_are_rounded_toward_zero_to_whole_lots(quantity: float, lot: float, rounded: float) -> None:
    assert whole_lots(quantity, lot) == pytest.approx(rounded, rel=1e-15)


@pytest.mark.parametrize(
    ("sizing", "size", "quantity"),
    [
        ("fixed_quantity", 100.0, 50.0),  # 0.5 x 100
        ("fixed_cash", 1_000.0, 12.5),  # 0.5 x 1000 / 40
        ("percent_equity", 0.1, 12.5),  # 0.5 x 0.1 x 10000 / 40
    ],
)
def test_sizings(sizing: str, size: float, quantity: float) -> None:
    assert SIZINGS[sizing].kernel(0.5, size, 40.0, 10_000.0) == quantity
