"use strict";
(() => {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Colours that depend on the theme are written as css:--name in traces and layouts.
  const resolve = (value) => {
    if (typeof value === "string") {
      if (value.startsWith("@")) return payload.series[value.slice(1)];
      return value.startsWith("css:") ? css(value.slice(4)) : value;
    }
    if (Array.isArray(value)) return value.length && typeof value[0] === "object" ? value.map(resolve) : value;
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
    return value;
  };

  const themed = (layout) => {
    const narrow = root.clientWidth < 600;
    const full = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: css("--text"), size: narrow ? 11 : 12 },
      margin: { l: narrow ? 44 : 60, r: narrow ? 8 : 20, t: 30, b: 40 }, height: 340, hovermode: "x unified",
      hoverlabel: { bgcolor: css("--panel"), font: { color: css("--text") } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, dragmode: narrow ? false : "zoom",
      ...resolve(layout),
    };
    const axes = new Set(["xaxis", "yaxis", ...Object.keys(full).filter((key) => /^[xy]axis\d*$/.test(key))]);
    for (const axis of axes)
      full[axis] = { gridcolor: css("--grid"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true, ...full[axis] };
    return full;
  };

  const draw = (name, chart) => {
    const place = document.querySelector(`[data-chart="${name}"]`);
    if (place && window.Plotly)
      Plotly.react(place, chart.data.map(resolve), themed(chart.layout), { responsive: true, displaylogo: false, displayModeBar: false });
  };

  // The train surface: the best objective in each cell of two parameters, for one window.
  const surface = () => {
    const data = payload.series.surface;
    const controls = document.getElementById("surface");
    if (!data || !controls) return;
    const [windowAt, pairAt] = controls.querySelectorAll("select");
    const pair = data.pairs[Number(pairAt.value)];
    const values = pair.values[Number(windowAt.value)];
    const grid = pair.y.map(() => new Array(pair.x.length).fill(null));
    values.forEach((value, index) => { grid[pair.row[index]][pair.column[index]] = value; });
    const winner = pair.winners[Number(windowAt.value)];
    const line = pair.y.length === 1;
    const marked = winner ? [{
      type: "scatter", mode: "markers", x: [winner[0]], y: [line ? winner[2] : winner[1]], name: "chosen", showlegend: false,
      marker: { symbol: "star", size: 15, color: "#f4d03f", line: { color: "#1c2833", width: 1.5 } }, hovertemplate: "chosen<extra></extra>",
    }] : [];
    const traces = line
      ? [{ type: "scatter", mode: "lines+markers", x: pair.x, y: grid[0], name: data.objective, line: { color: "css:--own" } }, ...marked]
      : [{ type: "heatmap", x: pair.x, y: pair.y, z: grid, colorscale: "Viridis", colorbar: { title: { text: data.objective } },
          hovertemplate: `${pair.names[0]} %{x}, ${pair.names[1]} %{y}: %{z}<extra></extra>` }, ...marked];
    draw("surface", { data: traces, layout: { height: 460, hovermode: "closest", showlegend: false,
      xaxis: { title: { text: pair.names[0] } }, yaxis: { title: { text: line ? data.objective : pair.names[1] } } } });
  };

  const drawAll = () => {
    for (const [name, chart] of Object.entries(payload.charts)) if (name !== "surface") draw(name, chart);
    surface();
  };

  const theme = (name) => { root.dataset.theme = name; drawAll(); };
  document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", (event) => theme(event.matches ? "dark" : "light"));
  document.querySelectorAll("#surface select").forEach((select) => select.addEventListener("change", surface));

  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const sort = (head) => {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = Array.from(body.rows, (row) => ({ row, value: key(row, column) }));
    rows.sort((one, other) => {
      if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
      const order = typeof one.value === "number" ? one.value - other.value : one.value.localeCompare(other.value);
      return up ? order : -order;
    });
    body.append(...rows.map((one) => one.row));
  };
  document.querySelectorAll("table.sortable th").forEach((head) => {
    head.addEventListener("click", () => sort(head));
    head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(head); } });
  });

  document.querySelectorAll(".filter input").forEach((input) => {
    const section = input.closest("section"), rows = Array.from(section.querySelectorAll("tbody tr"));
    const count = section.querySelector(".count");
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    };
    input.addEventListener("input", apply);
    apply();
  });

  theme(prefersDark.matches ? "dark" : "light");
  root.dataset.drawn = "true";
})();
