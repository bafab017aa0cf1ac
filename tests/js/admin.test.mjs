// What administrators type, and what of the numbers needs somebody.

import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "Asia/Shanghai";
const { addresses, byModel, codeState, codesOf, dayBegins, lastDay, planOf, settingOf, whole } = await import(
  "../../static/js/admin/limits.js"
);
const { attention, concerning } = await import("../../static/js/admin/attention.js");

test("a whole number is one, nothing is nothing, and everything else is said to be none", () => {
  assert.equal(whole(" 12 "), 12);
  assert.equal(whole(""), undefined);
  assert.equal(whole("0"), 0);
  for (const none of ["1.5", "twelve", "1e3", "0x10", "-1", "9999999999", "１２"]) assert.ok(Number.isNaN(whole(none)), none);
  assert.ok(Number.isNaN(whole("0", 1)));
});

test("an empty limit of a plan is unlimited, and a bad one is named", () => {
  const typed = { mayGenerate: "on", priority: "normal", concurrency: "2", perHour: "" };
  assert.deepEqual(planOf(typed), {
    plan: {
      mayGenerate: true, priority: "normal", monthlyCredits: 0, concurrency: 2, perHour: 0, perDay: 0, dailyCredits: 0, keepDays: 0,
    },
  });
  assert.equal(planOf({ priority: "batch" }).plan.mayGenerate, false);
  assert.deepEqual(planOf({ ...typed, perDay: "many" }), { field: "perDay" });
});

test("addresses are taken apart at every separator that people paste, and each is there once", () => {
  assert.deepEqual(addresses(" ann@a.test,\nbob@b.test；ANN@a.test、eve@c.test "), ["ann@a.test", "bob@b.test", "eve@c.test"]);
  assert.deepEqual(addresses(" \n"), []);
});

test("a day begins where the administrator is, and the day after it at the end of a month too", () => {
  assert.equal(dayBegins("2026-11-22"), "2026-11-21T16:00:00.000Z");
  assert.equal(dayBegins("2026-12-31", 1), "2026-12-31T16:00:00.000Z");
  assert.equal(dayBegins(""), undefined);
  assert.equal(dayBegins(null), undefined);
});

test("a plan's last day comes back as it was typed", () => {
  for (const day of ["2026-11-22", "2026-12-31", "2027-02-28"]) assert.equal(lastDay(dayBegins(day, 1)), day);
  assert.equal(lastDay(null), "");
});

test("what does not fit a setting's type or bounds is not sent", () => {
  const count = { type: "integer", minimum: 0, above: null, maximum: 10 };
  assert.equal(settingOf(count, "10"), 10);
  for (const bad of ["11", "-1", "1.5", "", "ten"]) assert.equal(settingOf(count, bad), undefined, bad);
  const seconds = { type: "number", minimum: null, above: 0, maximum: null };
  assert.equal(settingOf(seconds, "0.5"), 0.5);
  assert.equal(settingOf(seconds, "0"), undefined);
  assert.equal(settingOf({ type: "string" }, "open"), "open");
  assert.deepEqual([settingOf({ type: "boolean" }, "on"), settingOf({ type: "boolean" }, "")], [true, false]);
});

const code = { count: "", credits: "", plan: "", planDays: "", uses: "", expires: "", note: "" };

test("new codes are worth something, and a length belongs to a plan", () => {
  assert.deepEqual(codesOf(code), { field: "credits", key: "admin.codes.worthNothing" });
  assert.deepEqual(codesOf({ ...code, count: "0", credits: "5" }), { field: "count" });
  assert.deepEqual(codesOf({ ...code, credits: "5", planDays: "30" }), { wish: { credits: 5 } });
  assert.deepEqual(codesOf({ ...code, count: "3", plan: "studio", planDays: "30", note: " fair " }), {
    wish: { count: 3, plan: "studio", planDays: 30, note: "fair" },
  });
});

test("a code is good until it is revoked, over, or used up", () => {
  const good = { revokedAt: null, expiresAt: null, usesLeft: 1 };
  const now = Date.parse("2026-11-22T12:00:00Z");
  assert.equal(codeState(good, now), "good");
  assert.equal(codeState({ ...good, expiresAt: "2026-11-22T12:00:00Z" }, now), "expired");
  assert.equal(codeState({ ...good, usesLeft: 0 }, now), "used");
  assert.equal(codeState({ ...good, usesLeft: 0, revokedAt: "2026-11-22T11:00:00Z" }, now), "revoked");
});

test("the days of a usage list are added up by model, the most used first", () => {
  const day = { videos: 1, completed: 1, failed: 0, seconds: 4, settled: 10, held: 0 };
  const sums = byModel([{ ...day, model: "a" }, { ...day, model: "b" }, { ...day, model: "b", seconds: 8 }]);
  assert.deepEqual(sums.map(({ model, videos, seconds }) => [model, videos, seconds]), [["b", 2, 12], ["a", 1, 4]]);
});

const calm = () => ({
  stats: {
    jobs: {}, disputes: 0, dailyCreditsUsed: [], people: { everybody: 3, disabled: 1, withoutPlan: 2 },
    upstreams: [{ name: "lab", spend: { reached: false } }],
  },
  storage: { disk: { free: 100, floor: 10, belowFloor: false } },
  upstreams: [{ name: "lab", open: true, reason: "" }],
  books: { balanced: true, complaints: [] },
});
const kinds = (found) => attention(found).map(({ kind }) => kind);

test("when all is well nothing needs attention, and where nobody was given a plan that is no matter", () => {
  assert.deepEqual(kinds(calm()), []);
});

test("what costs money or stops everybody comes first, and each leads to where it is decided", () => {
  const found = calm();
  found.stats.jobs.unknown = 2;
  found.stats.disputes = 1;
  found.stats.people.withoutPlan = 1;
  found.stats.upstreams[0].spend.reached = true;
  found.upstreams[0] = { name: "lab", open: false, reason: "the key was refused" };
  found.books = { balanced: false, complaints: ["somebody's"] };
  found.storage.disk = { free: 5, floor: 10, belowFloor: true };
  assert.deepEqual(kinds(found), ["full", "books", "unknown", "disputes", "closed", "spend", "withoutPlan"]);
  const [, , unknown, , closed] = attention(found);
  assert.deepEqual([unknown.address, unknown.count], [["unknown"], 2]);
  assert.deepEqual([closed.address, closed.reason], [["upstreams"], "the key was refused"]);
});

test("a disk that is nearly full is told of before it is, unless it has no floor", () => {
  const found = calm();
  found.storage.disk = { free: 15, floor: 10, belowFloor: false };
  assert.deepEqual(kinds(found), ["fullSoon"]);
  found.storage.disk = { free: 1, floor: 0, belowFloor: false };
  assert.deepEqual(kinds(found), []);
});

test("a destination of alerts hears what it asked for, and one without a wish everything", () => {
  const active = ["upstream", "storage"].map((kind) => ({ kind }));
  assert.deepEqual(concerning({ about: ["storage", "backup"] }, active), [{ kind: "storage" }]);
  assert.deepEqual(concerning({ about: [] }, active), active);
});
