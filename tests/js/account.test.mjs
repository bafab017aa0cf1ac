// What the account says of what the gateway has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { wishOf, wordsOf } from "../../static/js/account/entries.js";
import { number, signed } from "../../static/js/format.js";
import { limitsOf } from "../../static/js/account/plan.js";

const entry = (kind, by, note = "") => ({ kind, by, note });

test("what the gateway notes by itself is said in the reader's words", () => {
  assert.deepEqual(wordsOf(entry("grant", "gateway", "starting balance")), { key: "account.entry.start", values: {}, note: "" });
  assert.deepEqual(wordsOf(entry("grant", "gateway", "credits of 2026-11")), {
    key: "account.entry.month", values: { month: "2026-11" }, note: "",
  });
  assert.deepEqual(wordsOf(entry("redeem", "you", "code SJMA")), { key: "account.entry.code", values: { code: "SJMA" }, note: "" });
});

test("what an administrator notes is shown as it was written, whatever it looks like", () => {
  assert.deepEqual(wordsOf(entry("grant", "administrator", "starting balance")), {
    key: "account.entry.grant", values: {}, note: "starting balance",
  });
  assert.deepEqual(wordsOf(entry("adjust", "administrator", "typed 50 for 45")), {
    key: "account.entry.adjust", values: {}, note: "typed 50 for 45",
  });
});

test("a change has its sign with a true minus, and its thousands apart; none is 0", () => {
  assert.deepEqual([5, -5, 0, 12_345, -12_345].map(signed), ["+5", "−5", "0", "+12,345", "−12,345"]);
  assert.equal(number(-1_000), "−1,000");
});

test("days are asked for as the reader has them, both with it", () => {
  assert.deepEqual(wishOf({ kind: "", from: "", to: "" }), {});
  const { kind, since, until } = wishOf({ kind: "hold", from: "2026-11-22", to: "2026-11-22" });
  assert.equal(kind, "hold");
  assert.equal(since, new Date(2026, 10, 22).toISOString());
  assert.equal(until, new Date(2026, 10, 23).toISOString());
});

test("a limit says how near it is, and none is none", () => {
  const plan = { perHour: 10, perDay: 10, dailyCredits: 0 };
  assert.deepEqual(limitsOf(plan, { hour: 7, day: 8, credits: 99 }).map(({ name, level }) => [name, level]), [
    ["hour", "free"], ["day", "near"], ["credits", "none"],
  ]);
  assert.equal(limitsOf(plan, { hour: 12, day: 0, credits: 0 })[0].level, "full");
});
