import math

import numpy as np
import polars as pl

from admf_ray.fingerprint import fingerprint_columns, fingerprint_file, fingerprint_value
from admf_ray.workflow.results import fingerprint_frame


def test_equal_content_has_one_fingerprint_however_it_is_stored() -> None:
    values = np.arange(6, dtype=float).reshape(2, 3)
    plain = fingerprint_columns({"x": values})
    assert fingerprint_columns({"x": np.asfortranarray(values)}) == plain
    assert fingerprint_columns({"x": values.astype(">f8")}) == plain
    assert fingerprint_columns({"x": np.repeat(values, 2, axis=1)[:, ::2]}) == plain


def test_name_type_shape_order_and_every_bit_count() -> None:
    values = np.arange(6, dtype=float)
    different = [
        {"x": values},
        {"y": values},
        {"x": values.astype(np.float32)},
        {"x": values.astype(np.int64)},
        {"x": values.reshape(2, 3)},
        {"x": np.nextafter(values, 9)},
        {"x": values, "y": values},
        {"y": values, "x": values},
        {"x": np.array(["0", "1"])},
        {"x": np.array(["01"])},
    ]
    assert len({fingerprint_columns(columns) for columns in different}) == len(different)


def test_every_nan_is_the_same_nan() -> None:
    odd = np.frombuffer(np.uint64(0xFFF8000000000001).tobytes(), dtype=float)
    assert fingerprint_columns({"x": odd}) == fingerprint_columns({"x": np.array([math.nan])})


def test_frames_survive_parquet(tmp_path) -> None:
    frame = pl.DataFrame(
        {"a": pl.Series([1, None, 3], dtype=pl.Int32), "b": ["x", None, ""], "c": [0.1, math.nan, None]}
    )
    frame.write_parquet(tmp_path / "f.parquet")
    assert fingerprint_frame(pl.read_parquet(tmp_path / "f.parquet")) == fingerprint_frame(frame)
    assert fingerprint_frame(frame.with_columns(b=pl.lit("x"))) != fingerprint_frame(frame)


def test_values_are_hashed_without_the_order_of_keys(tmp_path) -> None:
    assert fingerprint_value({"a": 1, "b": [1.5]}) == fingerprint_value({"b": [1.5], "a": 1})
    (tmp_path / "f").write_bytes(b"abc")
    # SHA-256 of "abc": FIPS 180-2, appendix B.1.
    assert fingerprint_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
