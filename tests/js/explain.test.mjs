// Why there is no video: every code that the gateway has is explained, and what an upstream makes up is too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { EXPLANATIONS, isKnown, meaningOf } from "../../static/js/video/explain.js";

const file = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("every code of the catalogue of errors is in the table", () => {
  const codes = [...file("sora_gateway/errors.py").matchAll(/^ {4}code(?:, \w+)* = "(\w+)"/gm)].map(([, code]) => code);
  assert.ok(codes.length > 45, String(codes.length));
  assert.deepEqual(codes.filter((code) => !isKnown(code)), []);
});

test("every code of a failed video that the documentation has is in the table", () => {
  const [, rows] = file("docs/errors.md").split("## Why a video failed")[1].split("| --- | --- |");
  const codes = [...rows.split("\n\n")[0].matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  assert.equal(codes.length, 8);
  assert.deepEqual(codes.filter((code) => !isKnown(code)), []);
});

test("what only the upstream knows is recognised by its form, or said to be its own", () => {
  const cases = {
    moderation_blocked: "moderation", "safety.violence": "moderation", CONTENT_POLICY_VIOLATION: "moderation",
    http_418: "refused", http_599: "broken", http_429: "busy", weird_code: "other", "": "other",
  };
  for (const [code, meaning] of Object.entries(cases)) assert.equal(meaningOf(code), meaning, code);
});

test("every explanation says in both languages what it means and what to do", () => {
  for (const language of ["en", "zh-CN"]) {
    const words = JSON.parse(file(`static/i18n/${language}/video.json`));
    for (const name of EXPLANATIONS) {
      assert.ok(words[`video.why.${name}`], name);
      assert.ok(words[`video.todo.${name}`], name);
    }
  }
});
