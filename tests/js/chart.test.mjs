// What a chart shows of what the gateway says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { areWhole, atMost, daily, isEmpty, rowsOf, span, top } from "../../static/js/views/chart-data.js";

const day = (text) => Date.parse(`${text}T00:00:00Z`);
const of = { name: ({ model }) => model, value: ({ settled }) => settled };

test("every day has its place, also those on which nothing was, and the largest line comes first", () => {
  const rows = [
    { day: "2026-11-22", model: "small", settled: 1 },
    { day: "2026-11-22", model: "large", settled: 5 },
    { day: "2026-11-20", model: "large", settled: 2 },
    { day: "2026-11-20", model: "large", settled: 3 },
  ];
  const { times, series } = daily(rows, { since: day("2026-11-20") + 1, until: day("2026-11-22") + 3_600_000, ...of });
  assert.deepEqual(times, [day("2026-11-20"), day("2026-11-21"), day("2026-11-22")]);
  assert.deepEqual(series, [{ name: "large", values: [5, 0, 5] }, { name: "small", values: [0, 0, 1] }]);
});

test("what lies outside of the days is left out, and a clock that runs backwards makes one day", () => {
  const rows = [{ day: "2026-10-01", model: "a", settled: 1 }, { day: "2026-12-01", model: "a", settled: 1 }];
  assert.deepEqual(daily(rows, { since: day("2026-11-20"), until: day("2026-11-21"), ...of }).series, []);
  assert.equal(daily([], { since: day("2026-11-20"), until: day("2026-11-01"), ...of }).times.length, 1);
});

test("more lines than can be told apart become one, and nothing is lost in it", () => {
  const series = [4, 3, 2, 1].map((value) => ({ name: `m${value}`, values: [value, null, value === 1 ? 1 : null] }));
  assert.deepEqual(atMost(series, "others", 4), series);
  assert.deepEqual(atMost(series, "others", 2), [series[0], { name: "others", values: [6, null, 1] }]);
});

test("a line of zeros is something, a line without any value is nothing", () => {
  assert.equal(isEmpty({ times: [1], series: [{ values: [0] }] }), false);
  assert.equal(isEmpty({ times: [1], series: [{ values: [null] }] }), true);
  assert.equal(isEmpty({ times: [1], series: [] }), true);
  assert.equal(isEmpty({ times: [], series: [{ values: [] }] }), true);
});

test("the table has the newest first, and no row in which nothing is known", () => {
  const series = [{ name: "a", values: [1, null, 0] }, { name: "b", values: [null, null, 2] }];
  assert.deepEqual(rowsOf({ times: [10, 20, 30], series }), [{ time: 30, values: [0, 2] }, { time: 10, values: [1, null] }]);
});

test("one lonely moment is in the middle of the axis, whether it is a day or not", () => {
  const noon = day("2026-11-22") + 43_200_000;
  assert.deepEqual(span([noon], false), [noon - 1_800_000, noon + 1_800_000]);
  assert.deepEqual(span([day("2026-11-22")], true), [day("2026-11-21") + 43_200_000, noon]);
  assert.deepEqual(span([noon, noon + 5], false), [noon, noon + 5]);
});

test("the axis has room above the largest value, and steps of whole numbers where all are whole", () => {
  assert.equal(top(0), 1);
  assert.ok(top(100) > 100);
  assert.equal(areWhole([{ values: [1, null, 2] }]), true);
  assert.equal(areWhole([{ values: [1, 0.5] }]), false);
});
