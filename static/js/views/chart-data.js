// What a chart and its table show, worked out without a browser.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The most lines that can be told apart. */
export const MOST_SERIES = 6;

/** One value for each UTC day from `since` to `until` (epoch milliseconds, both with it), from rows that have a `day` as
 *  2026-11-22: 0 where there is none. `name(row)` says which line a row belongs to, `value(row)` what it adds.
 *  Gives { times, series } for a chart, the largest line first. */
export function daily(rows, { since, until, name, value }) {
  const first = Math.floor(since / DAY_MS);
  const last = Math.max(first, Math.floor(until / DAY_MS));
  const times = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * DAY_MS);
  const lines = new Map();
  for (const row of rows) {
    const index = Date.parse(row.day) / DAY_MS - first;
    if (!(index in times)) continue;
    if (!lines.has(name(row))) lines.set(name(row), times.map(() => 0));
    lines.get(name(row))[index] += value(row);
  }
  const series = [...lines].map(([title, values]) => ({ name: title, values }));
  return { times, series: series.sort((a, b) => total(b) - total(a)) };
}

const known = (value) => value !== null && value !== undefined;
const total = ({ values }) => values.reduce((sum, value) => sum + (value ?? 0), 0);

/** At most `count` lines: those after them added up as one that is called `others`. Only for values that may be added. */
export function atMost(series, others, count = MOST_SERIES) {
  if (series.length <= count) return series;
  const rest = series.slice(count - 1);
  const values = rest[0].values.map((_, index) => {
    const there = rest.map((each) => each.values[index]).filter(known);
    return there.length ? there.reduce((sum, value) => sum + value, 0) : null;
  });
  return [...series.slice(0, count - 1), { name: others, values }];
}

/** Whether there is nothing to draw. A line of zeros is something. */
export const isEmpty = ({ times, series }) => times.length === 0 || !series.some(({ values }) => values.some(known));

/** Whether the axis should have no steps between whole numbers. */
export const areWhole = (series) => series.every(({ values }) => values.every((value) => !known(value) || Number.isInteger(value)));

/** The rows of the table that stands for the picture, newest first: { time, values }, without those that say nothing. */
export function rowsOf({ times, series }) {
  const rows = times.map((time, index) => ({ time, values: series.map(({ values }) => values[index] ?? null) }));
  return rows.filter(({ values }) => values.some(known)).reverse();
}

/** From when to when the axis goes: half a day more on both sides, where bars stand, and something also around one lonely
 *  moment, so that it is in the middle and not on the edge. */
export function span(times, daily) {
  const [first, last] = [times[0], times.at(-1)];
  if (daily) return [first - DAY_MS / 2, last + DAY_MS / 2];
  return first === last ? [first - HOUR_MS / 2, last + HOUR_MS / 2] : [first, last];
}

/** How high the axis goes: a little above the largest value, and never flat. */
export const top = (largest) => (largest > 0 ? largest * 1.08 : 1);
