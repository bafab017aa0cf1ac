// What is left of a job: learned from others, corrected by its own progress.

import assert from "node:assert/strict";
import { test } from "node:test";

import { remaining } from "../../static/js/remaining.js";

const at = (seconds) => new Date(seconds * 1_000).toISOString();
const job = (part) => ({
  stage: "processing", progress: 0, progressEstimated: false, createdAt: at(0), submittedAt: at(10), estimatedCompletionAt: at(310), ...part,
});

test("nothing but what others took is known at first", () => {
  assert.equal(remaining(job({}), 60_000), 250);
  assert.equal(remaining(job({ progress: 50, progressEstimated: true }), 60_000), 250);
});

test("a reported progress shortens it and never lengthens it", () => {
  assert.equal(remaining(job({ progress: 50 }), 60_000), 50);
  assert.equal(remaining(job({ progress: 10 }), 60_000), 250);
  assert.ok(remaining(job({ progress: 99 }), 60_000) < 1);
});

test("without what others took the progress alone says it, and without both nothing does", () => {
  assert.equal(remaining(job({ progress: 50, estimatedCompletionAt: null }), 60_000), 50);
  assert.ok(Number.isNaN(remaining(job({ estimatedCompletionAt: null }), 60_000)));
  assert.equal(remaining(job({ stage: "storing", progress: 99 }), 60_000), 0);
});
