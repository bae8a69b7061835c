"""Downloads, by the real package from a server on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from admf_ray.errors import ConfigError, DataError
from tests.unit.data.files import load, moments

pytest.importorskip("yfinance", reason="the optional package yfinance is not installed")

OPTIONS = {"symbol": "ABC", "calendar": "XNYS", "start": "2020-01-01", "stop": "2020-02-01"}
STAMPS = [1_577_975_400, 1_578_061_800, 1_578_321_000]  # 9:30 in New York on 2020-01-02, 03 and 06


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[list[str]]:
    """A server that answers as Yahoo's chart does, and the paths that were asked for."""
    asked: list[str] = []

    class Chart(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = json.dumps(_chart() if "/ABC" in self.path else _nothing()).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chart)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for module in ("yfinance.base", "yfinance.scrapers.history"):
        monkeypatch.setattr(f"{module}._BASE_URL_", f"http://127.0.0.1:{server.server_port}")
    # What the chart does without, it would ask the network for, and wait.
    monkeypatch.setattr("yfinance.data.YfData._get_cookie_and_crumb", lambda self, timeout=30: (None, "basic"))
    monkeypatch.setenv("ADMF_CACHE_DIR", str(tmp_path / "cache"))
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def _chart() -> dict:
    quote = {"open": [10, 11, 12], "high": [11, 12, 13], "low": [9, 10, 11], "close": [10.5, 11.5, 12.5]}
    meta = {
        "currency": "USD", "symbol": "ABC", "instrumentType": "EQUITY", "exchangeTimezoneName": "America/New_York",
        "timezone": "EST", "gmtoffset": -18_000, "priceHint": 2, "dataGranularity": "1d", "validRanges": ["1d", "max"],
    }  # fmt: skip
    indicators = {"quote": [{**quote, "volume": [100, 200, 300]}], "adjclose": [{"adjclose": [5.25, 5.75, 6.25]}]}
    return {"chart": {"result": [{"meta": meta, "timestamp": STAMPS, "indicators": indicators}], "error": None}}


def _nothing() -> dict:
    return {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}


def test_bars_are_downloaded_once_with_the_adjustment_that_was_asked_for(served) -> None:
    bars = load("yfinance", adjust="splits", **OPTIONS)
    assert bars.symbols == ("ABC",)
    assert moments(bars.known_at) == ["2020-01-02T21:00", "2020-01-03T21:00", "2020-01-06T21:00"]
    assert bars.close.tolist() == [[10.5, 11.5, 12.5]]
    assert bars.adjustment == "splits"
    assert "downloaded" in bars.report.reading
    count = len(served)
    assert load("yfinance", adjust="splits", **OPTIONS).fingerprint() == bars.fingerprint()
    assert len(served) == count
    adjusted = load("yfinance", adjust="total_return", **OPTIONS)
    assert adjusted.close.tolist() == [[5.25, 5.75, 6.25]]
    assert adjusted.open.tolist() == [[5.0, 5.5, 6.0]]


def test_a_symbol_that_is_not_there_is_refused(served) -> None:
    with pytest.raises(
        DataError, match=r"yfinance: NOPE could not be downloaded .*the network, the symbol or the dates"
    ):
        load("yfinance", adjust="splits", **{**OPTIONS, "symbol": "NOPE"})


def test_without_a_network_the_error_says_so(served, monkeypatch) -> None:
    for module in ("yfinance.base", "yfinance.scrapers.history"):
        monkeypatch.setattr(f"{module}._BASE_URL_", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"yfinance: ABC could not be downloaded \(.*onnect"):
        load("yfinance", adjust="total_return", **OPTIONS)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"symbol": None}, DataError, "data.symbol: source yfinance needs to know which"),
        ({"adjust": "none"}, DataError, "data.adjust: Yahoo serves no unadjusted prices; allowed: splits"),
        ({"timeframe": "7min"}, ConfigError, "data.timeframe: '7min' is not served by Yahoo; allowed: 1min, 5min"),
        ({"timeframe": "1h"}, ConfigError, "data.stamp: Yahoo stamps bars at their open"),
        ({"start": "soon"}, ConfigError, "data.start: 'soon' is no date"),
    ],
)
def test_wrong_options_are_named(options, error, message) -> None:
    with pytest.raises(error, match=message):
        load("yfinance", **{"adjust": "splits", **OPTIONS, **options})
