// What administrators' tabs work out without a browser: conditions, forms, sums, files for spreadsheets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csv } from "../../static/js/admin/ops/csv.js";
import { conditionOf, fieldsOf, modelsOf, modelsText, wishOf } from "../../static/js/admin/ops/entries.js";
import { creditsOf, resultOf } from "../../static/js/admin/ops/outcomes.js";
import { endedByDay, periodOf, timesByDay, usageBy } from "../../static/js/admin/ops/periods.js";

const WELL = { paused: false, open: true, breaker: "closed", spend: { reached: false } };

test("what stops an upstream counts more than what delays it", () => {
  assert.equal(conditionOf(WELL), "open");
  assert.equal(conditionOf({ ...WELL, breaker: "half-open" }), "careful");
  assert.equal(conditionOf({ ...WELL, breaker: "half-open", spend: { reached: true } }), "capped");
  assert.equal(conditionOf({ ...WELL, open: false }), "refused");
  assert.equal(conditionOf({ ...WELL, open: false, breaker: "open" }), "silent");
  assert.equal(conditionOf({ ...WELL, open: false, breaker: "open", paused: true }), "paused");
});

test("models are written one per line, and read back as they were", () => {
  const models = { "sora-2": "wan-2.2", same: "same" };
  assert.equal(modelsText(models), "sora-2 = wan-2.2\nsame");
  assert.deepEqual(modelsOf(modelsText(models)), models);
  assert.deepEqual(modelsOf("\n  a=b \n\n"), { a: "b" });
  for (const wrong of ["a=b=c", "=b", "a="]) assert.equal(modelsOf(wrong), null);
});

const said = (change = {}) => ({ ...fieldsOf(null), name: "lab", baseUrl: "http://lab/v1", apiKey: "", webhookSecret: "", ...change });

test("a form says only what was filled in, so that the gateway's defaults hold", () => {
  const { wish } = wishOf(said({ maxConcurrent: "3", seconds: "4, 8，12", sizes: "1280x720" }));
  assert.equal(wish.name, "lab");
  assert.deepEqual(wish.fields, {
    dialect: "openai", profile: "generic", baseUrl: "http://lab/v1", models: {}, maxConcurrent: 3, sizes: ["1280x720"],
    seconds: [4, 8, 12], onAmbiguous: "",
  });
  assert.equal(wishOf(said({ apiKey: "k" })).wish.fields.apiKey, "k");
});

test("what is not filled in as it should be is named", () => {
  const wrong = { name: "Lab!", baseUrl: "lab/v1", models: "a=b=c", seconds: "four", maxCreating: "1.5", spendCap: "-1" };
  for (const [field, value] of Object.entries(wrong)) assert.equal(wishOf(said({ [field]: value })).field, field);
});

test("a form shows an upstream as it is, and saves it unchanged", () => {
  const known = {
    name: "lab", dialect: "openai", profile: "sglang", baseUrl: "http://lab/v1", models: { a: "b" }, sizes: ["1280x720"], seconds: [4],
    limits: { maxConcurrent: 0, maxCreating: 2, costPerVideo: 0.5, costPerSecond: 0 }, budget: { perMinute: 120 }, spend: { cap: 9 },
    abilities: { onAmbiguous: "hold" },
  };
  const fields = Object.fromEntries(Object.entries(fieldsOf(known)).map(([name, value]) => [name, String(value)]));
  assert.deepEqual(wishOf({ ...fields, apiKey: "", webhookSecret: "" }).wish.fields, {
    dialect: "openai", profile: "sglang", baseUrl: "http://lab/v1", models: { a: "b" }, sizes: ["1280x720"], seconds: [4],
    maxConcurrent: 0, maxCreating: 2, requestsPerMinute: 120, costPerVideo: 0.5, costPerSecond: 0, spendCap: 9, onAmbiguous: "hold",
  });
});

test("a decision is told by what became of the video, not by what was hoped for", () => {
  assert.equal(resultOf({ stage: "unknown" }), "ops.result.unknown");
  assert.equal(resultOf({ stage: "failed" }), "ops.result.failed");
  assert.equal(resultOf({ stage: "submitting" }), "ops.result.again");
  assert.equal(resultOf({ stage: "processing" }), "ops.result.found");
  assert.equal(creditsOf([{ credits: 4 }, { credits: 6 }]), 10);
});

const NOON = Date.parse("2026-11-22T12:00:00Z");

test("a period begins at a midnight of UTC and has as many days as it says, with today", () => {
  const { days, since } = periodOf("7", NOON);
  assert.deepEqual([days, new Date(since).toISOString()], [7, "2026-11-16T00:00:00.000Z"]);
  assert.equal(periodOf("8", NOON).days, 30);
});

test("a day without videos counts none, and has no time to them", () => {
  const period = periodOf("7", NOON);
  const days = [{ name: "2026-11-20", completed: 3, failed: 1, median: 12, p90: 20 }];
  const ended = endedByDay(days, period, { completed: "Ready", failed: "Failed" });
  assert.deepEqual(ended.series, [{ name: "Ready", values: [0, 0, 0, 0, 3, 0, 0] }, { name: "Failed", values: [0, 0, 0, 0, 1, 0, 0] }]);
  const waited = timesByDay(days, period, { median: "Median" });
  assert.deepEqual(waited, { times: ended.times, series: [{ name: "Median", values: [null, null, null, null, 12, null, null] }] });
});

test("usage is added up, and a cost that nobody told stays unknown", () => {
  const row = { day: "2026-11-20", videos: 1, completed: 1, failed: 0, seconds: 4, settled: 6, held: 0, upstreamCost: null };
  const rows = [{ ...row, model: "a" }, { ...row, model: "b", settled: 9, upstreamCost: 0.5 }, { ...row, model: "b" }];
  assert.deepEqual(usageBy(rows, "model").map(({ name, videos, settled, upstreamCost }) => [name, videos, settled, upstreamCost]), [
    ["b", 2, 15, 0.5],
    ["a", 1, 6, null],
  ]);
});

test("a file for spreadsheets has no formula in it, and quotes what it must", () => {
  assert.equal(csv(["a", "b"], [["=1+1", "x,\"y\""], [null, -2.5]]), "a,b\r\n'=1+1,\"x,\"\"y\"\"\"\r\n,-2.5\r\n");
});
