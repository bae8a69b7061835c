from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.errors import ReproductionError
from admf_ray.fingerprint import fingerprint_columns
from admf_ray.workflow.results import fingerprint_frame, fingerprint_table
from admf_ray.workflow.stored import StoredTable, Tables, parquet_writer

FRAME = pl.DataFrame(
    {
        "number": pl.Series([3, None, 5, 6], dtype=pl.Int32),
        "whole": pl.Series([1, 2, 3, 4], dtype=pl.Int16),
        "share": [0.5, float("nan"), None, -0.0],
        "text": ["a", "a", None, 'b"é'],
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def stored(folder: Path, edges: list[int]) -> StoredTable:
    parts = [FRAME[a:b].to_arrow() for a, b in zip([0, *edges], [*edges, len(FRAME)], strict=True)]
    with (folder / "table.parquet").open("wb") as stream:
        parquet_writer(parts[0].schema, parts)(stream)
    return StoredTable(folder / "table.parquet")


@given(edges=st.lists(st.integers(1, 3), max_size=3, unique=True).map(sorted))
def test_a_table_in_a_file_has_the_fingerprint_of_the_frame(folder: Path, edges: list[int]) -> None:
    table = stored(folder, edges)
    assert len(table) == 4
    assert table.read().equals(FRAME)
    assert [len(piece) for piece in table.pieces(["text"])] == [
        b - a for a, b in zip([0, *edges], [*edges, 4], strict=True)
    ]
    assert fingerprint_table(Tables({}, {"table": table}), "table") == fingerprint_frame(FRAME)


def test_the_fingerprint_of_a_frame_is_that_of_its_arrays() -> None:
    filled = FRAME.with_columns(pl.col("number").cast(pl.Float64)).with_columns(
        pl.col("number", "share").fill_null(float("nan"))
    )
    assert fingerprint_frame(FRAME) == fingerprint_columns({name: filled[name].to_numpy() for name in filled.columns})


def test_an_empty_table_has_the_fingerprint_of_an_empty_frame(folder: Path) -> None:
    empty = FRAME.clear()
    with (folder / "empty.parquet").open("wb") as stream:
        parquet_writer(empty.to_arrow().schema, [])(stream)
    tables = Tables({}, {"empty": StoredTable(folder / "empty.parquet")})
    assert fingerprint_table(tables, "empty") == fingerprint_frame(empty)


def test_damage_inside_a_file_is_named_when_it_is_read(folder: Path) -> None:
    table = stored(folder, [2])
    content = bytearray(table.path.read_bytes())
    content[4:60] = bytes(56)
    table.path.write_bytes(bytes(content))
    with pytest.raises(ReproductionError, match="table.parquet' cannot be read"):
        table.read()


def test_text_that_comes_as_dictionaries_is_read_as_text(folder: Path) -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    column = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.int8()), pa.array(["a", "b"]))
    with (folder / "text.parquet").open("wb") as stream:
        parquet_writer(pa.schema([("text", kind)]), [pa.table({"text": column})])(stream)
    assert StoredTable(folder / "text.parquet").read()["text"].to_list() == ["b", "a", "b"]
    assert StoredTable(folder / "text.parquet").read().schema == {"text": pl.String}
