// What becomes of the values of a page before they are drawn: none of these knows what is on the screen.
"use strict";
const values = (() => {
  const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };

  function unpacked(array) {
    const text = atob(array.base64), bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    const values = new ARRAYS[array.kind](bytes.buffer);
    if (array.step === undefined) return values;
    return Float32Array.from(values, (value) => (value === 65535 ? NaN : array.lowest + value * array.step));
  }

  // The first place in rising times that is at or behind one.
  function place(sorted, time) {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Columns of rows first to last: where each begins. A row that is a gap is a column of its own.
  function columnsOf(time, first, last, count, range) {
    const starts = [], width = (range[1] - range[0]) / count;
    let column = NaN;
    for (let at = first; at < last; at++) {
      const here = Math.floor((time[at] - range[0]) / width);
      if (here !== column) starts.push(at);
      column = here;
    }
    starts.push(last);
    return starts;
  }

  function envelope(time, line, first, last, starts) {
    const x = [], y = [], ends = [], bandX = [], bandY = [];
    const count = starts ? starts.length - 1 : last - first;
    for (let at = 0; at < count; at++) {
      const begin = starts ? starts[at] : first + at, end = starts ? starts[at + 1] : begin + 1;
      let low = Infinity, high = -Infinity, sum = 0, known = 0, sumTime = 0, gap = false;
      for (let row = begin; row < end; row++) {
        const value = line.mean[row];
        if (value !== value) { gap = true; continue; }
        if (line.low[row] < low) low = line.low[row];
        if (line.high[row] > high) high = line.high[row];
        sum += value;
        sumTime += time[row];
        known++;
      }
      if (known) {
        const middle = sumTime / known;
        x.push(middle);
        y.push(sum / known);
        ends.push([low, high]);
        if (high > low) {
          bandX.push(middle, middle);
          bandY.push(low, high);
        } else if (bandX.length && bandY[bandY.length - 1] !== null) {
          bandX.push(middle);
          bandY.push(null);
        }
      }
      if (gap) {
        const when = known ? time[end - 1] : time[begin];
        x.push(when);
        y.push(null);
        ends.push([null, null]);
        bandX.push(when);
        bandY.push(null);
      }
    }
    return { x, y, ends, bandX, bandY };
  }

  // What is narrower than a pixel and follows closely is drawn together.
  function visibleBands(phases, range, pixel) {
    const found = [];
    let last = null;
    for (let at = 0; at < phases.lane.length; at++) {
      const begin = phases.begin_s[at], end = phases.end_s[at], lane = phases.lane[at];
      if (end < range[0] || begin > range[1]) continue;
      const narrow = end - begin < pixel;
      if (narrow && last && last.narrow && last.lane === lane && begin - last.end < pixel) {
        last.end = Math.max(last.end, end);
        last.count += phases.count[at];
        if (last.name !== phases.name[at]) last.name = -1;
        continue;
      }
      last = { begin, end, lane, name: phases.name[at], count: phases.count[at], narrow };
      found.push(last);
    }
    return found;
  }

  function seconds(value) {
    return value < 1 ? `${+(1000 * value).toPrecision(4)} ms` : `${+value.toPrecision(5)} s`;
  }

  function plain(text) {
    return text.replace(/&(amp|lt|gt);/g, "_");
  }

  function alpha(color, share) {
    const part = (at) => parseInt(color.slice(at, at + 2), 16);
    return `rgba(${part(1)},${part(3)},${part(5)},${share})`;
  }

  function clock(value) {
    const whole = Math.floor(value + 1e-9), rest = value - whole;
    const two = (number) => String(number).padStart(2, "0");
    const decimals = rest > 1e-7 ? rest.toFixed(6).replace(/0+$/, "").slice(1) : "";
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}${decimals}`;
  }

  return { unpacked, place, columnsOf, envelope, visibleBands, seconds, plain, alpha, clock };
})();
