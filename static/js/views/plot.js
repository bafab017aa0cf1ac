// The drawing of a chart with uPlot: the only module that imports it, loaded when the first chart is shown.

import uPlot from "../../vendor/uplot.js";
import { areWhole, span, top } from "./chart-data.js";

const HEIGHT = 220;
const DAY_MS = 86_400_000;
const DAYS = [1, 2, 3, 7, 14, 28, 56, 91, 182, 364].map((days) => days * DAY_MS);
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 10 }, (_, power) => step * 10 ** power)).sort((a, b) => a - b);
/** Lines differ in more than their colour. */
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [12, 4], [4, 2]];

/** Draws into `place`. `when(time, step)` and `amount(number)` are the words of the axes; `onPoint(index)` hears which
 *  moment the pointer is at, null for none. Returns { resize, end }. */
export function plot(place, { series, times, daily, bars, when, amount, onPoint }) {
  const colour = colours(place);
  const bare = { stroke: colour("--quiet"), font: `12px ${getComputedStyle(place).fontFamily}` };
  const lines = { stroke: colour("--line"), width: 1 };
  const options = {
    width: Math.max(place.clientWidth, 1),
    height: HEIGHT,
    ms: 1,
    tzDate: (time) => (daily ? uPlot.tzDate(new Date(time), "Etc/UTC") : new Date(time)),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: {
      x: { time: true, range: () => span(times, daily) },
      y: { range: (_, min, max) => [Math.min(0, min ?? 0), top(max ?? 0)] },
    },
    axes: [
      {
        ...bare,
        size: 32,
        grid: { show: false },
        ticks: lines,
        ...(daily && { incrs: DAYS }),
        values: (_, splits, axis, space, step) => splits.map((time) => when(time, step)),
        space: 64,
      },
      {
        ...bare,
        grid: lines,
        ticks: { show: false },
        ...(areWhole(series) && { incrs: WHOLE }),
        values: (_, splits) => splits.map(amount),
        size: (_, values) => 16 + 7 * Math.max(1, ...(values ?? []).map(({ length }) => length)),
      },
    ],
    series: [{}, ...series.map((_, index) => look(index, { colour, bars }))],
    hooks: { setCursor: [(drawn) => onPoint(drawn.cursor.left >= 0 ? (drawn.cursor.idx ?? null) : null)] },
  };
  const drawn = new uPlot(options, [times, ...series.map(({ values }) => values)], place);
  return {
    resize: () => drawn.setSize({ width: Math.max(place.clientWidth, 1), height: HEIGHT }),
    end: () => drawn.destroy(),
  };
}

function look(index, { colour, bars }) {
  const stroke = colour(`--chart-${index + 1}`);
  if (bars) return { stroke, fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.7, 36], radius: 0.15 }), points: { show: false } };
  return { stroke, width: 2, dash: DASHES[index], points: { size: 5, fill: stroke } };
}

/** Colours as a canvas knows them: of what the tokens are now, in light or dark. */
function colours(place) {
  const probe = place.appendChild(document.createElement("i"));
  const known = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["--quiet", "--line", ...DASHES.map((_, index) => `--chart-${index + 1}`)];
  const found = Object.fromEntries(names.map((name) => [name, known(name)]));
  probe.remove();
  return (name) => found[name];
}
