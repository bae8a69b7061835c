"""Tracing: what is kept, what goes to files, what may be asked of it, and what is configured for whom."""

import contextlib
import json
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from admf_ray.errors import ConfigError, EventError
from admf_ray.events import (
    LEVELS,
    PRESETS,
    ContainerRegistry,
    Error,
    Event,
    EventBus,
    EventTracer,
    EventType,
    Retention,
    RiskBreach,
    Signal,
    System,
    Trace,
    TraceSettings,
    TracingConfig,
    attach_tracer,
    by_symbol,
    read_trace,
)
from tests.unit.events.recording import buses, signal, system
from tests.unit.events.trades import EVENTS_A_TRADE, events_of_trades


def fed(settings: TraceSettings, trades: int, folder: Path | None = None, **options: Any) -> EventTracer:
    """Give a tracer that has seen the events of some trades on a bus."""
    with buses("a") as [bus]:
        tracer = EventTracer(settings, folder, **options)
        bus.attach(tracer)
        for event in events_of_trades(trades):
            bus.publish(event)
        bus.detach(tracer)
    return tracer


class TestRetention:
    def test_full_keeps_everything(self) -> None:
        tracer = fed(TraceSettings(retention=Retention.FULL), 3)
        assert (tracer.events, tracer.retained, tracer.dropped) == (300, 300, 0)
        assert [event.sequence for event in tracer.trace()] == list(range(1, 301))

    def test_full_with_a_bound_drops_the_oldest_and_counts_them(self) -> None:
        tracer = fed(TraceSettings(retention=Retention.FULL, max_events=40), 3)
        assert (tracer.retained, tracer.dropped) == (40, 260)

    def test_a_sliding_window_keeps_the_newest(self) -> None:
        tracer = fed(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=40), 3)
        assert [event.sequence for event in tracer.trace()] == list(range(261, 301))

    def test_trade_complete_keeps_open_trades_only(self) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.TRADE_COMPLETE))
        events = list(events_of_trades(2))
        for event in events[: EVENTS_A_TRADE + 10]:
            tracer.on_event(event)
        assert {event.correlation_id for event in tracer.trace()} == {"trade-1"}
        for event in events[EVENTS_A_TRADE + 10 :]:
            tracer.on_event(event)
        assert (tracer.retained, tracer.events, tracer.dropped) == (0, 200, 0)

    def test_what_still_comes_of_a_closed_trade_does_not_open_it_again(self) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.TRADE_COMPLETE))
        for event in events_of_trades(1):
            tracer.on_event(event)
        tracer.on_event(Event(RiskBreach("max_drawdown", 99, 0.2, 0.25), "risk", "a", 99, "trade-0"))
        assert tracer.retained == 0

    def test_trades_that_never_close_are_bounded_too(self) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.TRADE_COMPLETE, max_events=10))
        for number in range(100):
            tracer.on_event(Event(Signal("cross", "SPX", number, 1.0), "cross", "a", number, f"trade-{number}"))
        assert (tracer.retained, tracer.dropped) == (10, 90)

    def test_a_trade_that_had_to_go_is_not_taken_for_a_whole_one(self, tmp_path: Path) -> None:
        settings = TraceSettings(retention=Retention.TRADE_COMPLETE, max_events=30, storage_backend="disk")
        tracer = fed(settings, 3, tmp_path)
        tracer.close()
        assert (tracer.retained, tracer.dropped, list(tmp_path.glob("events*"))) == (0, 3 * 31, [])

    def test_open_trades_are_kept_in_the_order_of_arrival(self) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.TRADE_COMPLETE))
        for number in range(6):
            tracer.on_event(
                Event(
                    Signal("cross", "SPX", number, 1.0),
                    "cross",
                    "a",
                    number,
                    f"trade-{number % 2}",
                    sequence=number + 1,
                )
            )
        assert [event.sequence for event in tracer.trace()] == [1, 2, 3, 4, 5, 6]

    def test_troubles_that_belong_to_no_trade_are_stored_with_the_trades(self, tmp_path: Path) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.TRADE_COMPLETE, storage_backend="disk"), tmp_path)
        tracer.on_event(Event(Error("ValueError", "no number"), "bus", "a", sequence=1))
        assert [event.type for event in tracer.trace()] == ["ERROR"]

    def test_minimal_keeps_counts_and_the_newest_troubles(self) -> None:
        tracer = fed(TraceSettings(retention=Retention.MINIMAL, max_events=2), 2)
        for number in range(3):
            tracer.on_event(Event(RiskBreach("max_position", number, 1.0, 2.0), "risk", "a"))
        tracer.on_event(Event(Error("ValueError", "no number"), "bus", "a"))
        assert [event.type for event in tracer.trace()] == ["RISK_BREACH", "ERROR"]
        assert tracer.counts[EventType.FILL] == 4
        assert tracer.dropped == 2

    def test_types_that_are_not_asked_for_are_counted_only(self) -> None:
        tracer = fed(TraceSettings(events_to_trace=frozenset([EventType.FILL])), 2)
        assert {event.type for event in tracer.trace()} == {EventType.FILL}
        assert tracer.counts[EventType.BAR] == 92

    def test_the_equity_curve_is_kept_whatever_the_retention(self) -> None:
        tracer = fed(TraceSettings(retention=Retention.MINIMAL, store_equity_curve=True), 1)
        times, equities = tracer.equity_curve
        assert list(times) == list(range(2, 48))
        assert list(equities) == [10_000.0 + bar for bar in range(2, 48)]


class TestMemory:
    """Peak memory while events come, above what there was before the first one."""

    def peak(self, settings: TraceSettings, trades: int, folder: Path | None = None) -> list[float]:
        """Give the peak in megabytes over each quarter of the events."""
        with buses("a") as [bus]:
            tracer = EventTracer(settings, folder)
            bus.attach(tracer)
            for event in events_of_trades(50):
                bus.publish(event)
            tracemalloc.start()
            try:
                before, peaks = tracemalloc.get_traced_memory()[0], []
                for quarter in range(4):
                    tracemalloc.reset_peak()
                    for event in events_of_trades(trades // 4, start=50 + quarter * trades // 4):
                        bus.publish(event)
                    peaks.append((tracemalloc.get_traced_memory()[1] - before) / 1e6)
            finally:
                tracemalloc.stop()
        assert tracer.events == (50 + trades) * EVENTS_A_TRADE
        return peaks

    @pytest.mark.parametrize(
        "trades", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
    )
    def test_trade_complete_stays_small_and_flat(self, trades: int) -> None:
        peaks = self.peak(TraceSettings(retention=Retention.TRADE_COMPLETE), trades)
        assert max(peaks) < 2.0
        assert peaks[-1] <= peaks[0] + 0.1

    @pytest.mark.parametrize(
        "trades", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
    )
    def test_a_sliding_window_is_bounded_by_its_size(self, trades: int) -> None:
        small = self.peak(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=1_000), trades)
        large = self.peak(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=4_000), trades)
        assert max(small) < 1.0
        assert max(large) < 4.0
        assert large[-1] <= large[0] + 0.5

    @pytest.mark.parametrize("kind", ["jsonl", "parquet"])
    @pytest.mark.parametrize(
        "trades", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
    )
    def test_streaming_to_disk_buffers_little(self, tmp_path: Path, trades: int, kind: str) -> None:
        # 100,000 trades may close before a flush is due by their number: the buffer is what bounds it.
        settings = TraceSettings(storage_backend="disk", file_format=kind, flush_trades=100_000)
        peaks = self.peak(settings, trades, tmp_path)
        assert max(peaks) < 20.0
        assert sum(1 for _ in read_trace(tmp_path)) == (50 + trades) * EVENTS_A_TRADE


class TestTrace:
    def test_a_trades_whole_life_is_one_query(self) -> None:
        trace = fed(TraceSettings(), 3).trace()
        life = trace.life("trade-1")
        assert [event.type for event in life if event.type is not EventType.PORTFOLIO] == [
            "SIGNAL",
            "ORDER",
            "FILL",
            "POSITION_OPEN",
            "SIGNAL",
            "ORDER",
            "FILL",
            "POSITION_CLOSE",
        ]
        assert trace.correlations == ["trade-0", "trade-1", "trade-2"]

    def test_causes_and_effects_follow_the_chain(self) -> None:
        trace = fed(TraceSettings(), 1).trace()
        fills = [event for event in trace if event.type is EventType.FILL]
        causes = trace.causes(fills[0])
        assert [event.type for event in causes] == ["SIGNAL", "ORDER"]
        assert trace.effects(causes[0]) == [causes[1], fills[0]]
        assert trace.effects(fills[0]) == []

    def test_parts_are_selected_by_type_filter_and_time(self) -> None:
        trace = fed(TraceSettings(), 2).trace()
        part = trace.select(types=[EventType.BAR], where=by_symbol("SPX"), start=10, stop=13)
        assert [event.timestamp for event in part] == [10, 11, 12]
        assert len(trace.select(where=by_symbol("COMP"))) == 0

    def test_a_life_that_there_is_not_is_empty(self) -> None:
        assert Trace([]).life("trade-1") == []


class TestFiles:
    @pytest.mark.parametrize("kind", ["jsonl", "parquet"])
    def test_a_full_trace_on_disk_holds_nothing_in_memory_and_comes_back_as_it_was(
        self, tmp_path: Path, kind: str
    ) -> None:
        expected = fed(TraceSettings(), 5).trace()
        tracer = fed(TraceSettings(storage_backend="disk", file_format=kind), 5, tmp_path)
        assert tracer.retained == 0
        assert list(map(repr, tracer.trace())) == list(map(repr, expected))
        tracer.close()
        assert list(map(repr, read_trace(tmp_path))) == list(map(repr, expected))
        assert [event.causation_id for event in read_trace(tmp_path)] == [event.causation_id for event in expected]

    def test_whole_trades_are_written_when_so_many_are_closed_and_open_ones_at_the_end(self, tmp_path: Path) -> None:
        settings = TraceSettings(retention=Retention.TRADE_COMPLETE, storage_backend="disk", flush_trades=2)
        tracer = EventTracer(settings, tmp_path)
        counts = []
        for event in list(events_of_trades(5))[:-50]:
            tracer.on_event(event)
            if event.type is EventType.POSITION_CLOSE:
                files = list(tmp_path.glob("events*"))
                counts.append(sum(1 for _ in read_trace(tmp_path)) if files else 0)
        # Bars belong to no trade: 54 of 100 events do.
        assert counts == [0, 108, 108, 216]
        tracer.close()
        lives = Trace(read_trace(tmp_path))
        assert lives.correlations == [f"trade-{number}" for number in range(5)]
        assert len(lives.life("trade-4")) < len(lives.life("trade-3")) == 54

    def test_a_sliding_window_is_written_at_the_end(self, tmp_path: Path) -> None:
        settings = TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=30, storage_backend="disk")
        tracer = fed(settings, 2, tmp_path)
        assert len(tracer.trace()) == 30
        tracer.close()
        tracer.close()
        assert (tracer.retained, len(tracer.trace()), tracer.dropped) == (0, 30, 170)

    def test_closing_the_bus_writes_what_is_left_and_a_summary(self, tmp_path: Path) -> None:
        config = TracingConfig.parse({"level": "debug", "storage_backend": "disk"})
        with buses("a") as [bus]:
            attach_tracer(bus, config, tmp_path, lambda: {"sharpe": float("nan"), "total_pnl": 5.0})
            for event in events_of_trades(2):
                bus.publish(event)
            bus.close()
        summary = json.loads((tmp_path / "a" / "metrics.json").read_text())
        assert summary["events"] == 200
        assert summary["counts"]["BAR"] == 92
        assert summary["metrics"] == {"sharpe": None, "total_pnl": 5.0}
        assert summary["events_per_second"] > 0
        assert len(list(read_trace(tmp_path / "a"))) == 200

    def test_a_trace_is_of_its_own_run_where_the_folder_holds_earlier_ones(self, tmp_path: Path) -> None:
        settings = TraceSettings(storage_backend="disk")
        fed(settings, 2, tmp_path).close()
        tracer = fed(settings, 1, tmp_path)
        assert (len(tracer.trace()), sum(1 for _ in read_trace(tmp_path))) == (100, 300)

    def test_what_cannot_be_stored_at_the_end_takes_nothing_with_it(self, tmp_path: Path) -> None:
        tracer = EventTracer(TraceSettings(retention=Retention.SLIDING_WINDOW, storage_backend="disk"), tmp_path)
        for number, message in enumerate(("first", object(), "last"), 1):
            tracer.on_event(Event(System(message), "tester", "a", sequence=number))  # type: ignore[arg-type]
        with pytest.raises(EventError, match="event a#2 cannot be stored"):
            tracer.close()
        assert [event.sequence for event in read_trace(tmp_path)] == [1, 3]
        assert json.loads((tmp_path / "metrics.json").read_text())["dropped"] == 1

    def test_events_that_come_while_the_container_is_closed_are_stored_or_not_counted(self, tmp_path: Path) -> None:
        for number in range(30):
            folder = tmp_path / str(number)
            bus = EventBus("a", registry=ContainerRegistry())
            tracer = attach_tracer(bus, TracingConfig.parse({"level": "debug", "storage_backend": "disk"}), folder)
            assert tracer

            def publish(bus: EventBus = bus) -> None:
                with contextlib.suppress(EventError):
                    while True:
                        bus.publish(system(bus, "x"))

            thread = threading.Thread(target=publish)
            thread.start()
            while tracer.events < 20:
                pass
            bus.close()
            thread.join()
            assert sum(1 for _ in read_trace(folder / "a")) == tracer.events

    def test_disk_without_a_folder_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="storage_backend: disk needs a folder"):
            EventTracer(TraceSettings(storage_backend="disk"))


class TestConfiguration:
    def test_the_most_specific_pattern_counts_alone(self) -> None:
        config = TracingConfig.parse(
            {
                "level": "minimal",
                "max_events": 7,
                "latencies": True,
                "containers": {
                    "best_*": {"level": "debug"},
                    "*_spx": {"retention": "sliding_window"},
                    "best_1_spx": {"retention": "trade_complete"},
                },
            }
        )
        found = {
            name: config.settings_for(name).retention.value
            for name in ("a", "best_1", "a_spx", "best_2_spx", "best_1_spx")
        }
        assert found == {
            "a": "minimal",
            "best_1": "full",
            "a_spx": "sliding_window",
            "best_2_spx": "full",
            "best_1_spx": "trade_complete",
        }
        assert config.settings_for("a_spx").latencies, "what a pattern does not say is as for all"
        assert [config.settings_for(name).max_events for name in ("a", "a_spx")] == [7, None], "but for bounds"

    def test_an_id_counts_before_any_pattern_and_a_choice_of_characters_is_a_wildcard(self) -> None:
        config = TracingConfig.parse(
            {"containers": {"best_1": {"level": "debug"}, "best_[0123456789]": {"level": "minimal"}, "best_?": {}}}
        )
        found = [config.settings_for(name).retention.value for name in ("best_1", "best_2")]
        assert found == ["full", "none"], "of two with as many characters that are no wildcards the later one counts"

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"retention": "everything"}, "retention: 'everything' is not allowed"),
            ({"max_events": -1}, "max_events: -1 is not allowed"),
            ({"storage_backend": "dsk"}, "storage_backend: 'dsk' is not allowed"),
        ],
    )
    def test_settings_that_are_made_directly_are_checked_too(self, options: dict[str, Any], said: str) -> None:
        assert TraceSettings(retention="minimal").retention is Retention.MINIMAL  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=said):
            TraceSettings(**options)

    def test_types_are_named_by_patterns(self) -> None:
        config = TracingConfig.parse({"level": "debug", "events_to_trace": ["POSITION_*", "FILL"]})
        assert config.default.events_to_trace == {"POSITION_OPEN", "POSITION_CLOSE", "FILL"}
        assert TracingConfig.parse({"events_to_trace": "all"}).default.events_to_trace == frozenset(EventType)

    @pytest.mark.parametrize("level", LEVELS)
    def test_every_level_attaches_what_it_says(self, level: str) -> None:
        with buses("a") as [bus]:
            tracer = attach_tracer(bus, TracingConfig.parse({"level": level}))
            assert (tracer is None) == (level == "none")
            assert len(bus.observers) == {"none": 0, "minimal": 1}.get(level, 2)

    @pytest.mark.parametrize("preset", PRESETS)
    def test_every_preset_is_valid_and_may_be_changed(self, preset: str) -> None:
        config = TracingConfig.parse({"preset": preset, "max_events": 5, "containers": {"mine": {"level": "none"}}})
        assert config.default.max_events == 5
        assert config.settings_for("mine").retention is Retention.NONE
        assert config.settings_for("best_1") == (
            config.default if preset != "optimization" else config.containers["best_*"]
        )

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"retension": "full"}, r"tracing.retension: no option is named 'retension' \(did you mean retention\?\)"),
            ({"retention": "all"}, "tracing.retention: 'all' is not allowed; allowed: full, trade_complete"),
            ({"level": "loud"}, "tracing.level: 'loud' is not allowed; allowed: none, minimal"),
            ({"preset": "test"}, "tracing.preset: 'test' is not allowed; allowed: development"),
            ({"max_events": 0}, "tracing.max_events: 0 is not allowed; allowed: a whole number above 0"),
            ({"max_events": True}, "tracing.max_events: True is not allowed"),
            ({"max_file_size_mb": float("inf")}, "tracing.max_file_size_mb: inf is not allowed"),
            ({"storage_backend": "tape"}, "tracing.storage_backend: 'tape' is not allowed; allowed: memory, disk"),
            ({"file_format": "csv"}, "tracing.file_format: 'csv' is not allowed; allowed: jsonl, parquet"),
            ({"store_equity_curve": 1}, "tracing.store_equity_curve: 1 is not allowed; allowed: true, false"),
            ({"events_to_trace": ["BARS"]}, "tracing.events_to_trace: no type of event is named 'BARS'"),
            ({"events_to_trace": "FILL"}, "tracing.events_to_trace: 'FILL' is not allowed; allowed: all, or a list"),
            ({"containers": {"a*": {"levl": 1}}}, r"tracing.containers.a\*.levl: no option is named 'levl'"),
            ({"containers": {"a*": "debug"}}, r"tracing.containers.a\*: 'debug' is not allowed"),
            ({"rules": {"metrics.pnl >": {}}}, "tracing.rules 'metrics.pnl >' is no expression"),
            ({"rules": {"open('x')": {}}}, "tracing.rules"),
            ({"rules": {"events.FILL > 1": {"keep": 1}}}, r"tracing.rules.'events.FILL > 1'.keep"),
            (
                {"rules": {"events.FILL > 1": {"rules": {}}}},
                "rules: a rule cannot change it; allowed: all other options",
            ),
            ({"rules": {"events.FILL > 1": None}}, "tracing.rules.'events.FILL > 1': None is not allowed"),
            ({"rules": None}, "tracing.rules: None is not allowed; allowed: options below it"),
            ({"containers": None}, "tracing.containers: None is not allowed; allowed: options below it"),
            ({"preset": ["development"]}, r"tracing.preset: \['development'\] is not allowed"),
            ({"level": ["debug"]}, r"tracing.level: \['debug'\] is not allowed"),
            (
                {"retention": "trade_complete", "events_to_trace": ["FILL"]},
                "tracing.events_to_trace: retention=trade_complete needs POSITION_CLOSE",
            ),
        ],
    )
    def test_wrong_options_are_named_with_what_is_allowed(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            TracingConfig.parse(options)


RULES = {"rules": {"metrics.total_pnl > 0": {"retention": "full"}, "events.FILL >= 6": {"retention": "minimal"}}}


class TestRules:
    def test_other_settings_count_while_a_condition_holds(self) -> None:
        figures = {"total_pnl": -1.0}
        config = TracingConfig.parse({"level": "normal", "retention": "sliding_window", "max_events": 20, **RULES})
        with buses("a") as [bus]:
            tracer = attach_tracer(bus, config, metrics=lambda: figures)
            assert tracer
            kept = []
            for pnl, trades in ((-1.0, 1), (1.0, 1), (1.0, 1), (-1.0, 1)):
                figures["total_pnl"] = pnl
                for event in events_of_trades(trades, start=len(kept)):
                    bus.publish(event)
                kept.append((tracer.settings.retention.value, tracer.retained))
        # A trade has 54 events that are traced; a rule is looked at when a trade is closed.
        assert kept == [("sliding_window", 20), ("full", 20), ("full", 74), ("minimal", 0)]

    def test_a_rule_turns_on_what_is_off(self) -> None:
        config = TracingConfig.parse({"level": "none", "rules": {"events.POSITION_CLOSE >= 1": {"retention": "full"}}})
        with buses("a") as [bus]:
            tracer = attach_tracer(bus, config)
            assert tracer
            for event in events_of_trades(3):
                bus.publish(event)
        assert (tracer.retained, tracer.dropped) == (200, 0)

    def test_rules_of_a_container_come_first_and_change_its_own_settings(self) -> None:
        config = TracingConfig.parse(
            {
                "level": "minimal",
                "rules": {"events.FILL >= 1": {"retention": "sliding_window", "max_events": 7}},
                "containers": {
                    "a": {
                        "events_to_trace": ["FILL"],
                        "rules": {"events.POSITION_CLOSE >= 2": {"retention": "full"}},
                    }
                },
            }
        )
        with buses("a") as [bus]:
            tracer = attach_tracer(bus, config)
            assert tracer
            kept = []
            for number in range(3):
                for event in events_of_trades(1, start=number):
                    bus.publish(event)
                kept.append((tracer.settings.retention.value, len(tracer.settings.events_to_trace), tracer.retained))
        assert kept == [("sliding_window", 1, 0), ("full", 1, 2), ("full", 1, 4)]

    def test_a_figure_that_there_is_not_is_refused(self) -> None:
        config = TracingConfig.parse({"level": "debug", **RULES})
        with (
            buses("a") as [bus],
            pytest.raises(ConfigError, match=r"no figure is named 'metrics.total_pnl'; allowed: "),
        ):
            attach_tracer(bus, config)

    def test_a_rule_may_turn_on_files(self, tmp_path: Path) -> None:
        config = TracingConfig.parse(
            {
                "level": "minimal",
                "rules": {"events.POSITION_CLOSE >= 1": {"retention": "full", "storage_backend": "disk"}},
            }
        )
        with buses("a") as [bus]:
            attach_tracer(bus, config, tmp_path)
            for event in events_of_trades(3):
                bus.publish(event)
        assert len(list(read_trace(tmp_path / "a"))) == 200


def test_the_phases_of_a_search_are_traced_each_as_it_needs(tmp_path: Path) -> None:
    """Next to nothing of the many containers of phase 1, a window of those of phase 2, all of the best on disk."""
    config = TracingConfig.parse(
        {
            "level": "none",
            "containers": {
                "portfolio_phase1_*": {"level": "minimal", "store_equity_curve": True},
                "portfolio_phase2_*": {"retention": "sliding_window", "max_events": 50},
                "best_*": {"level": "debug", "storage_backend": "disk"},
            },
        }
    )
    names = [
        *(f"portfolio_phase1_{n:03d}" for n in range(20)),
        *(f"portfolio_phase2_{n}" for n in range(4)),
        "best_7",
        "x",
    ]
    with buses(*names) as several:
        tracers = {bus.container_id: attach_tracer(bus, config, tmp_path) for bus in several}
        for bus in several:
            for event in events_of_trades(3, bus.container_id):
                bus.publish(event)
    assert tracers["x"] is None
    for name, tracer in tracers.items():
        if tracer is not None:
            kept = 50 if "phase2" in name else 0
            assert (tracer.events, tracer.retained) == (300, kept), name
            assert len(tracer.equity_curve[0]) == (0 if "phase2" in name else 3 * 46)
    assert sorted(path.name for path in (tmp_path / "best_7").iterdir()) == ["events.jsonl.gz", "metrics.json"]
    assert len(Trace(read_trace(tmp_path / "best_7")).life("trade-2")) == 54
    assert not list(tmp_path.glob("*/events*"))[1:], "nobody else writes a trace"


def test_a_tracer_times_handlers_where_that_is_asked_for() -> None:
    with buses("a") as [bus]:
        handled = []
        subscription = bus.subscribe(EventType.SYSTEM, handled.append)
        tracer = attach_tracer(bus, TracingConfig.parse({"level": "metrics"}))
        assert subscription.is_live
        assert tracer
        assert tracer.latencies
        for text in "abc":
            bus.publish(system(bus, text))
        bus.publish(signal(bus))
        (one,) = tracer.latencies.latencies()
    assert (one.type, one.count) == (EventType.SYSTEM, 3)
    assert 0 <= one.min <= one.p50 <= one.p95 <= one.p99 <= one.max
    assert one.min <= one.mean <= one.max
