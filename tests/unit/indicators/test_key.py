import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.bars import FIELDS
from admf_ray.errors import ConfigError
from admf_ray.indicators import Key

names = st.sampled_from(["sma", "ema", "macd", "z_score"])
symbols = st.one_of(st.none(), st.sampled_from(["SPX", "BRK.B", "EUR/USD", "ES 2024"]))
numbers = st.one_of(st.integers(-1_000, 1_000).map(float), st.floats(allow_nan=False, allow_infinity=False, width=64))
timeframes = st.one_of(st.none(), st.sampled_from(["1d", "30s", "5min", "1w", "1mo"]))
keys = st.recursive(
    st.builds(Key, name=st.sampled_from(FIELDS), symbol=symbols, timeframe=timeframes),
    lambda inner: st.builds(
        Key,
        name=names,
        sources=st.lists(inner, min_size=1, max_size=2).map(tuple),
        parameters=st.lists(numbers, max_size=3).map(tuple),
        output=st.one_of(st.none(), st.just("signal")),
        timeframe=timeframes,
        fit=st.one_of(st.none(), st.tuples(st.integers(), st.integers())),
    ),
    max_leaves=4,
)


@given(keys)
def test_the_text_form_reads_back_to_the_same_key(key: Key) -> None:
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize(
    "text",
    ["sma(close,20)", "macd(close,12,26,9).signal", "zscore(spread(close[SPX],close[COMP]),20)", "close[SPX]"],
)
def test_the_text_form_is_the_one_that_is_documented(text: str) -> None:
    assert str(Key.parse(text)) == text


NO_KEYS = ["", "sma", "sma(", "sma(close,20", "sma()", "sma(20,close)", "close(3)", "close.signal", "20"]
NO_KEYS += ["sma[SPX](close,3)", "sma(close,20)@", "sma(close,20) x", "sma(close,,20)"]


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="indicator key"):
        Key.parse(text)


def test_binding_reaches_every_raw_field_that_names_no_symbol() -> None:
    key = Key.parse("spread(sma(close,5),close[COMP])").bind("SPX")
    assert str(key) == "spread(sma(close[SPX],5),close[COMP])"
