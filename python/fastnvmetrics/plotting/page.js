// Draws the trace that the page holds. What is visible is made an envelope of about a column a pixel, anew at each
// zoom: so it is quick however many samples there are, no spike is lost, and a closer look shows the samples.
"use strict";
(() => {
  const { unpacked, place, columnsOf, envelope, visibleBands, seconds, plain, alpha, clock } = values;
  const COLUMNS = 1400, CORE_COLUMNS = 700, MOST_SHADES = 250, MANY_LINES = 6;
  const LEFT = 58, RIGHT = 172, TOP = 6, BOTTOM = 44, GAP = 26, LANE = 22, LETTER = 7;
  const HEIGHTS = { utilisation: 160, power: 170, temperature: 130, "RAM used": 80 };
  const MIXED = "#9aa0a6";
  const THEMES = {
    light: { ink: "#1b1f24", pale: "#57606a", grid: "#e6e9ed", paper: "#ffffff", mark: "#8c3b12", shades: [0.1, 0.17, 0.05] },
    dark: { ink: "#e6e9ed", pale: "#9aa4af", grid: "#2a2f36", paper: "#14171b", mark: "#f0a07a", shades: [0.12, 0.2, 0.06] },
  };

  const data = JSON.parse(document.getElementById("data").textContent);
  const plot = document.getElementById("plot");
  const whole = document.getElementById("whole");
  const times = data.times.map(unpacked);
  for (const panel of data.panels)
    for (const line of panel.lines) {
      line.mean = unpacked(line.mean);
      line.low = line.low ? unpacked(line.low) : line.mean;
      line.high = line.high ? unpacked(line.high) : line.mean;
    }
  if (data.cores) data.cores.rows = data.cores.rows.map(unpacked);
  const phases = data.phases, marks = data.marks;
  for (const key of ["begin_s", "end_s", "lane", "name", "count"]) phases[key] = unpacked(phases[key]);
  marks.time_s = unpacked(marks.time_s);
  for (const note of data.notes) {
    const line = document.createElement("p");
    line.textContent = note;
    document.getElementById("notes").append(line);
  }

  const hasLabels = marks.labels.some((label) => label);
  const lanes = phases.lanes + (hasLabels ? 1 : 0);
  const rows = [];
  if (lanes) rows.push({ kind: "strip", height: LANE * lanes });
  data.panels.forEach((panel, at) => {
    const legend = (panel.lines.length > MANY_LINES ? 16.5 : 19) * panel.lines.length + 4;
    rows.push({ kind: "panel", panel, height: Math.max(HEIGHTS[panel.title] || 120, legend) });
    if (at === 0 && data.cores) rows.push(coresRow());
  });
  if (!data.panels.length && data.cores) rows.push(coresRow());
  const height = TOP + BOTTOM + rows.reduce((sum, row) => sum + row.height + GAP, 0);
  let below = height - TOP;
  rows.forEach((row, at) => {
    below -= GAP;
    row.top = (below - BOTTOM) / (height - TOP - BOTTOM);
    below -= row.height;
    row.bottom = Math.max(0, (below - BOTTOM) / (height - TOP - BOTTOM));
    row.axis = at ? `y${at + 1}` : "y";
    row.legend = at ? `legend${at + 1}` : "legend";
  });

  let range = fragment() || [data.begin_s, data.end_s];
  let theme = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const hidden = new Set();
  let drawing = false;
  // Older ones have a single legend for all panels, which lies where the scale of the cores would be.
  const [major, minor] = Plotly.version.split(".").map(Number);
  const hasLegends = major > 2 || (major === 2 && minor >= 22);

  function coresRow() {
    return { kind: "cores", height: Math.max(60, 9 * data.cores.rows.length) };
  }

  function panelTraces(row, colors) {
    const panel = row.panel, time = times[panel.time], traces = [];
    // One more on either side, so that lines go to the edge.
    const first = Math.max(0, place(time, range[0]) - 1), last = Math.min(time.length, place(time, range[1]) + 1);
    const starts = last - first > 2 * COLUMNS ? columnsOf(time, first, last, COLUMNS, range) : null;
    const isExact = panel.is_exact && !starts;
    const digits = panel.unit === "%" || panel.unit === "°C" ? ".1f" : ".3f";
    panel.lines.forEach((line) => {
      const found = envelope(time, line, first, last, starts);
      const color = line.color || colors.ink, key = `${panel.title}/${line.label}`;
      const common = {
        type: "scatter", xaxis: "x", yaxis: row.axis, legend: row.legend, legendgroup: key,
        visible: hidden.has(key) ? "legendonly" : true,
      };
      if (!isExact)
        traces.push({
          ...common, x: found.bandX, y: found.bandY, mode: "lines", showlegend: false, hoverinfo: "skip",
          opacity: 0.3, line: { color, width: 1 },
        });
      traces.push({
        ...common, x: found.x, y: found.y, customdata: found.ends, name: line.label, meta: key,
        mode: isExact && last - first < 150 && panel.lines.length <= MANY_LINES ? "lines+markers" : "lines",
        marker: { size: 4, color },
        line: { color, width: line.is_module ? 2 : 1.4, dash: line.dash, shape: panel.is_step ? "hv" : "linear" },
        connectgaps: false,
        hovertemplate: isExact
          ? `%{y:${digits}} ${panel.unit}`
          : `%{y:${digits}} ${panel.unit} (%{customdata[0]:${digits}} to %{customdata[1]:${digits}})`,
      });
    });
    return traces;
  }

  function coreTrace(row, colors) {
    const time = times[data.cores.time], cores = data.cores.rows;
    const first = Math.max(0, place(time, range[0]) - 1), last = Math.min(time.length, place(time, range[1]) + 1);
    let starts = columnsOf(time, first, last, CORE_COLUMNS, range);
    if (last - first <= CORE_COLUMNS) starts = Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const x = [], z = cores.map(() => []);
    for (let at = 0; at + 1 < starts.length; at++) {
      let sumTime = 0;
      for (let row = starts[at]; row < starts[at + 1]; row++) sumTime += time[row];
      x.push(sumTime / (starts[at + 1] - starts[at]));
      cores.forEach((values, core) => {
        let sum = 0, known = 0;
        for (let row = starts[at]; row < starts[at + 1]; row++)
          if (values[row] !== 255) { sum += values[row]; known++; }
        z[core].push(known ? sum / known : null);
      });
    }
    return {
      type: "heatmap", x, y: cores.map((_, core) => core), z, xaxis: "x", yaxis: row.axis, zmin: 0, zmax: 100,
      colorscale: "Cividis", showscale: hasLegends, hoverongaps: false, name: "",
      hovertemplate: "core %{y}: %{z:.0f} %<extra></extra>",
      colorbar: {
        y: (row.top + row.bottom) / 2, len: row.top - row.bottom, thickness: 10, x: 1.01, xanchor: "left", xpad: 0,
        ypad: 4, outlinewidth: 0, tickvals: [0, 50, 100], ticktext: ["0", "50", "100 %"],
        tickfont: { size: 10, color: colors.pale },
      },
    };
  }

  function phaseColor(name) {
    return name < 0 ? MIXED : phases.colors[name % phases.colors.length];
  }

  function stripTraces(row, bands, pixel, colors) {
    const byColor = new Map(), labels = { x: [], y: [], text: [] };
    let run = null;
    const label = (begin, end, lane, text) => {
      if (!text || plain(text).length * LETTER + 6 >= (end - begin) / pixel) return false;
      labels.x.push((begin + end) / 2);
      labels.y.push(lane + 0.5);
      labels.text.push(text);
      return true;
    };
    const endRun = () => {
      if (run && run.parts > 1) label(run.begin, run.end, run.lane, `${phases.names[run.name]} × ${run.count}`);
      run = null;
    };
    for (const band of bands) {
      const color = phaseColor(band.name);
      if (!byColor.has(color)) byColor.set(color, { x: [], y: [] });
      const part = byColor.get(color), top = band.lane + 0.05, bottom = band.lane + 0.95;
      part.x.push(band.begin, band.begin, band.end, band.end, band.begin, null);
      part.y.push(top, bottom, bottom, top, top, null);
      const begin = Math.max(band.begin, range[0]), end = Math.min(band.end, range[1]);
      let text = band.name < 0 ? "" : phases.names[band.name];
      if (band.count > 1) text = text ? `${text} × ${band.count}` : `${band.count} phases`;
      // Those of a name that follow each other, each too narrow for it, share a label.
      const goes = run && run.lane === band.lane && run.name === band.name && begin - run.end < 12 * pixel;
      if (label(begin, end, band.lane, text)) endRun();
      else if (goes) Object.assign(run, { end, count: run.count + band.count, parts: run.parts + 1 });
      else {
        endRun();
        if (band.name >= 0) run = { begin, end, lane: band.lane, name: band.name, count: band.count, parts: 1 };
      }
    }
    endRun();
    const base = { type: "scatter", xaxis: "x", yaxis: row.axis, showlegend: false };
    const traces = [...byColor].map(([color, part]) => ({
      ...base, ...part, mode: "lines", fill: "toself", fillcolor: alpha(color, 0.6), line: { color, width: 1 },
      hoverinfo: "skip",
    }));
    traces.push({ ...base, ...labels, mode: "text", textfont: { size: 12, color: colors.ink }, hoverinfo: "skip" });
    if (hasLabels) traces.push(markLabels(base, pixel, colors));
    // What the pointer finds: the middle of each band, and its ends where they are far apart.
    const hover = { x: [], y: [], customdata: [] };
    for (const band of bands) {
      const begin = Math.max(band.begin, range[0]), end = Math.min(band.end, range[1]);
      const steps = Math.max(1, Math.min(40, Math.floor((end - begin) / pixel / 25)));
      const name = band.name < 0 ? "" : phases.names[band.name];
      const text = band.count > 1
        ? `${name ? `${name} × ` : ""}${band.count}${name ? "" : " phases"}`
        : `${name}<br>${seconds(band.end - band.begin)} from ${+band.begin.toFixed(6)} s on`;
      for (let step = 0; step < steps; step++) {
        hover.x.push(begin + ((end - begin) * (step + 0.5)) / steps);
        hover.y.push(band.lane + 0.5);
        hover.customdata.push([text, band.begin, band.end]);
      }
    }
    traces.push({
      ...base, ...hover, mode: "markers", marker: { size: 18, opacity: 0 }, meta: "phases",
      hovertemplate: "%{customdata[0]}<extra></extra>",
    });
    return traces;
  }

  function markLabels(base, pixel, colors) {
    const found = { x: [], y: [], text: [] };
    let free = -Infinity;
    marks.labels.forEach((label, at) => {
      const time = marks.time_s[at];
      if (!label || time < range[0] || time > range[1] || time < free) return;
      found.x.push(time);
      found.y.push(phases.lanes + 0.5);
      found.text.push(` ${label}`);
      free = time + (plain(label).length + 2) * LETTER * pixel;
    });
    return {
      ...base, ...found, mode: "text", textposition: "middle right", textfont: { size: 11, color: colors.mark },
      hoverinfo: "skip", cliponaxis: false,
    };
  }

  function shapes(bands, pixel, colors) {
    const lowest = 0, highest = lanes ? rows[0].bottom : 1;
    // Lanes further down would add up to grey.
    const widest = bands.filter((band) => band.end - band.begin >= pixel && band.lane < colors.shades.length);
    widest.sort((a, b) => b.end - b.begin - (a.end - a.begin));
    const found = widest.slice(0, MOST_SHADES).map((band) => ({
      type: "rect", layer: "below", xref: "x", yref: "paper", x0: band.begin, x1: band.end, y0: lowest, y1: highest,
      line: { width: 0 }, fillcolor: alpha(phaseColor(band.name), colors.shades[band.lane]),
    }));
    let free = -Infinity, count = 0;
    for (const time of marks.time_s) {
      if (time < range[0] || time > range[1] || time < free || count >= MOST_SHADES) continue;
      free = time + 2 * pixel;
      count++;
      found.push({
        type: "line", layer: "below", xref: "x", yref: "paper", x0: time, x1: time, y0: 0, y1: rows[0].top,
        line: { color: colors.mark, width: 1, dash: "dot" },
      });
    }
    return found;
  }

  function timeAxis() {
    const length = range[1] - range[0];
    if (data.end_s < 600) return { title: { text: "seconds since the start", standoff: 8 } };
    const steps = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
    let step = steps.find((one) => length / one <= 10) || 86400 * Math.ceil(length / 864000);
    if (length < 300) {
      const power = 10 ** Math.floor(Math.log10(length / 10));
      step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => length / one <= 10);
    }
    const tickvals = [];
    for (let at = Math.ceil(range[0] / step); at <= range[1] / step; at++) tickvals.push(at * step);
    return {
      title: { text: "hours, minutes, seconds since the start", standoff: 8 },
      tickvals, ticktext: tickvals.map(clock),
    };
  }

  function layout(bands, pixel, colors) {
    const last = rows[rows.length - 1];
    const found = {
      height, margin: { l: LEFT, r: RIGHT, t: TOP, b: BOTTOM }, paper_bgcolor: colors.paper,
      plot_bgcolor: "rgba(0,0,0,0)", font: { color: colors.ink, size: 12 }, hovermode: "x unified", dragmode: "zoom",
      hoverlabel: { bgcolor: colors.paper, bordercolor: colors.grid, font: { color: colors.ink, size: 12 } },
      shapes: shapes(bands, pixel, colors), annotations: [],
      xaxis: {
        range: [...range], anchor: last.axis, domain: [0, 1], showgrid: false, zeroline: false, showspikes: true,
        spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: colors.pale, spikesnap: "cursor",
        hoverformat: ".6~f", unifiedhovertitle: { text: "%{x:.6~f} s" }, tickfont: { color: colors.pale }, ...timeAxis(),
      },
    };
    for (const row of rows) {
      const axis = {
        domain: [row.bottom, row.top], fixedrange: true, gridcolor: colors.grid, zeroline: false, anchor: "x",
        tickfont: { color: colors.pale }, nticks: 6, automargin: false,
      };
      let title = row.kind;
      if (row.kind === "strip") {
        Object.assign(axis, { range: [lanes, 0], showticklabels: false, showgrid: false });
        title = phases.lanes ? "phases" : "marks";
      } else if (row.kind === "cores") {
        const count = data.cores.rows.length;
        Object.assign(axis, { range: [count - 0.5, -0.5], showgrid: false, tickvals: [0, count - 1] });
        title = "cores, %";
      } else {
        title = `${row.panel.title}, ${row.panel.unit}`;
        if (row.panel.limit) axis.range = [-0.02 * row.panel.limit, 1.04 * row.panel.limit];
        else if (row.panel.title === "power") axis.rangemode = "tozero";
      }
      found[row.axis.replace("y", "yaxis")] = axis;
      found[row.legend] = {
        x: 1.006, xanchor: "left", y: row.top, yanchor: "top", bgcolor: "rgba(0,0,0,0)", tracegroupgap: 0,
        font: { size: row.kind === "panel" && row.panel.lines.length > MANY_LINES ? 9.5 : 11, color: colors.ink },
      };
      found.annotations.push({
        text: `<b>${title}</b>`, xref: "paper", yref: "paper", x: 0, y: row.top, xanchor: "left", yanchor: "bottom",
        showarrow: false, font: { size: 12, color: colors.ink }, yshift: 1, xshift: -3,
      });
    }
    return found;
  }

  function draw() {
    const colors = THEMES[theme];
    document.documentElement.className = theme;
    document.getElementById("theme").textContent = theme === "dark" ? "light" : "dark";
    whole.hidden = range[0] <= data.begin_s && range[1] >= data.end_s;
    const pixel = (range[1] - range[0]) / Math.max(plot.clientWidth - LEFT - RIGHT, 100);
    const bands = visibleBands(phases, range, pixel);
    const traces = rows.flatMap((row) => {
      if (row.kind === "strip") return stripTraces(row, bands, pixel, colors);
      return row.kind === "cores" ? [coreTrace(row, colors)] : panelTraces(row, colors);
    });
    drawing = true;
    return Plotly.react(plot, traces, layout(bands, pixel, colors), {
      displaylogo: false, responsive: true, doubleClick: false, showTips: false,
      modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"], ["toImage"]],
    }).then(() => { drawing = false; });
  }

  function go(begin, end) {
    const least = 1e-5;
    begin = Math.max(Math.min(begin, end), data.begin_s);
    end = Math.min(Math.max(begin + least, end), data.end_s);
    if (!(begin < end)) [begin, end] = [data.begin_s, data.end_s];
    range = [begin, end];
    const isWhole = begin <= data.begin_s && end >= data.end_s;
    try {
      history.replaceState(null, "", isWhole ? "#" : `#${+begin.toFixed(6)}-${+end.toFixed(6)}`);
    } catch (error) { /* a page without an address of its own */ }
    return draw();
  }

  // #1.5-2.25 in the address is from 1.5 s to 2.25 s.
  function fragment() {
    const found = /^#([\d.]+)-([\d.]+)$/.exec(location.hash);
    if (!found) return null;
    const begin = Math.max(+found[1], data.begin_s), end = Math.min(+found[2], data.end_s);
    return begin < end ? [begin, end] : null;
  }

  draw().then(() => {
    plot.on("plotly_relayout", (change) => {
      if (drawing) return;
      if (change["xaxis.autorange"]) return go(data.begin_s, data.end_s);
      const begin = change["xaxis.range[0]"], end = change["xaxis.range[1]"];
      if (begin !== undefined && end !== undefined) return go(+begin, +end);
      if (Array.isArray(change["xaxis.range"])) return go(...change["xaxis.range"].map(Number));
    });
    plot.on("plotly_doubleclick", () => { go(data.begin_s, data.end_s); });
    plot.on("plotly_click", (event) => {
      const point = event.points.find((one) => one.data.meta === "phases");
      if (!point) return;
      const [, begin, end] = point.customdata, margin = 0.05 * (end - begin) || 0.001;
      go(begin - margin, end + margin);
    });
    plot.on("plotly_restyle", () => {
      if (drawing) return;
      for (const trace of plot.data)
        if (trace.meta && trace.meta !== "phases")
          trace.visible === "legendonly" ? hidden.add(trace.meta) : hidden.delete(trace.meta);
    });
    whole.addEventListener("click", () => go(data.begin_s, data.end_s));
    document.getElementById("theme").addEventListener("click", () => {
      theme = theme === "dark" ? "light" : "dark";
      draw();
    });
    window.addEventListener("hashchange", () => {
      range = fragment() || [data.begin_s, data.end_s];
      draw();
    });
    window.addEventListener("resize", () => { if (!drawing) draw(); });
  });
})();
