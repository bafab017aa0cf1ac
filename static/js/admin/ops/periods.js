// What statistics show, worked out without a browser.

import { daily } from "../../views/chart-data.js";

const DAY_MS = 86_400_000;

export const PERIODS = [7, 30, 90, 365];

/** The last so many days with today, from a midnight of UTC: { days, since, until } in epoch milliseconds. */
export function periodOf(text, now) {
  const days = PERIODS.includes(Number(text)) ? Number(text) : 30;
  return { days, since: (Math.floor(now / DAY_MS) - days + 1) * DAY_MS, until: now };
}

/** Videos that ended on each day, by how: one line for each of `names` ({ completed: "Ready", ... }). */
export function endedByDay(days, period, names) {
  const rows = days.flatMap((day) => Object.entries(names).map(([key, name]) => ({ day: day.name, name, value: day[key] })));
  return daily(rows, { ...period, name: ({ name }) => name, value: ({ value }) => value });
}

/** The time to a video on each day: null where none came. */
export function timesByDay(days, period, names) {
  const { times } = daily([], { ...period, name: String, value: Number });
  const known = new Map(days.map((day) => [Date.parse(day.name), day]));
  const series = Object.entries(names).map(([key, name]) => ({ name, values: times.map((time) => known.get(time)?.[key] ?? null) }));
  return { times, series };
}

/** Usage added up by `key` ("model" or "email"), what cost most first. */
export function usageBy(rows, key) {
  const sums = new Map();
  for (const row of rows) {
    const sum = sums.get(row[key]) ?? { name: row[key], videos: 0, completed: 0, failed: 0, seconds: 0, settled: 0, held: 0, upstreamCost: null };
    for (const each of ["videos", "completed", "failed", "seconds", "settled", "held"]) sum[each] += row[each];
    if (row.upstreamCost !== null) sum.upstreamCost = (sum.upstreamCost ?? 0) + row.upstreamCost;
    sums.set(row[key], sum);
  }
  return [...sums.values()].sort((a, b) => b.settled - a.settled || b.videos - a.videos);
}
