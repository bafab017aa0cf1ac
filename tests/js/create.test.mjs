// What the composer works out by itself: what goes together, what is asked for, what keeps it from being sent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { choicesFor, operationsOn, shapeOf, sizeIn } from "../../static/js/create/choices.js";
import { fill, unfilled } from "../../static/js/create/gaps.js";
import { effect } from "../../static/js/create/picture.js";
import { countOf, faultOf, placeOf, questionOf, tagsOf, wishOf } from "../../static/js/create/wish.js";

const SMALL = { id: "sora-2", upstream: "lab", sizes: ["720x1280", "1280x720"], seconds: [4, 8, 12], operations: ["create", "remix"] };
const LARGE = { id: "sora-2-pro", upstream: "lab", sizes: ["1024x1792", "1792x1024", "1280x720"], seconds: [10, 15, 25], operations: ["create"] };
const ANYTHING = { id: "wan", upstream: "other", sizes: [], seconds: [], operations: ["create"] };
const OFFERED = [SMALL, LARGE, ANYTHING];
const LIMITS = { prompt: 20, batch: 6 };
const choice = { model: "sora-2", size: "1280x720", seconds: 8 };
const source = { id: "video_1", how: "remix", by: 8, model: "sora-2", size: "1280x720", seconds: 4 };

// --- choices ---

test("without a draft the first model makes what it names first", () => {
  const { model, size, seconds, shape, shapes } = choicesFor({}, OFFERED);
  assert.deepEqual([model, size, seconds, shape, shapes], ["sora-2", "720x1280", 4, "portrait", ["portrait", "landscape"]]);
});

test("another model takes the nearest length and size that it can make, in the same shape", () => {
  const { size, sizes, seconds } = choicesFor({ model: "sora-2-pro", size: "720x1280", seconds: 12 }, OFFERED);
  assert.deepEqual([size, sizes, seconds], ["1024x1792", ["1024x1792"], 10]);
});

test("every model, draft and shape give a choice that the model can make", () => {
  for (const { id, sizes, seconds } of OFFERED) {
    for (const size of [undefined, "720x1280", "1792x1024", "640x640", "1x9"]) {
      for (const length of [undefined, 1, 9, 60]) {
        const made = choicesFor({ model: id, size, seconds: length }, OFFERED);
        assert.ok(!sizes.length || sizes.includes(made.size));
        assert.ok(!seconds.length || seconds.includes(made.seconds));
        assert.ok(made.sizes.includes(made.size) && made.shapes.includes(made.shape));
        for (const shape of made.shapes) {
          const turned = sizeIn(shape, made);
          assert.ok(made.all.includes(turned));
          assert.equal(shapeOf(turned), shape);
        }
      }
    }
  }
});

test("turning a size gives the same one upright", () => {
  assert.equal(sizeIn("portrait", choicesFor({ size: "1280x720" }, OFFERED)), "720x1280");
});

test("a model that is not offered any more is another one, and nothing is chosen of nothing", () => {
  assert.equal(choicesFor({ model: "gone" }, OFFERED).model, "sora-2");
  assert.equal(choicesFor({}, []), null);
  assert.equal(choicesFor({}, null), null);
});

test("only a finished video that its upstream knows can be made something of", () => {
  const done = { status: "completed", externalVideoId: "x", upstream: "lab" };
  assert.deepEqual(operationsOn(done, OFFERED), ["remix"]);
  assert.deepEqual(operationsOn({ ...done, status: "failed" }, OFFERED), []);
  assert.deepEqual(operationsOn({ ...done, externalVideoId: null }, OFFERED), []);
  assert.deepEqual(operationsOn({ ...done, upstream: "gone" }, OFFERED), []);
});

// --- what is asked for ---

test("one prompt is one video, with what was chosen", () => {
  const draft = { prompt: " a boat ", tags: "rain, boats", visibility: "team", fit: "pad" };
  assert.deepEqual(wishOf(draft, choice, { imageId: "ref_1" }), {
    path: "api/video/tasks",
    body: {
      prompt: "a boat", ...choice, inputReference: { imageId: "ref_1" }, fit: "pad", visibility: "team", tags: ["rain", "boats"],
    },
  });
});

test("variants and a list are one batch, and its price is that of all", () => {
  const draft = { prompt: "1. a boat\n\n2. a kite", list: true, variants: 3 };
  assert.equal(countOf(draft), 6);
  assert.deepEqual(questionOf(draft, choice), { ...choice, variants: 6 });
  assert.deepEqual(wishOf(draft, choice, null), {
    path: "api/video/tasks/batch",
    body: { items: [{ prompt: "a boat" }, { prompt: "a kite" }], variants: 3, ...choice },
  });
});

test("a prompt of several lines that is no list is one video", () => {
  assert.equal(countOf({ prompt: "- a boat\n- in rain" }), 1);
});

test("what is made from a video says which, and nothing else", () => {
  const derived = (how) => wishOf({ prompt: "at night", variants: 5, list: true, tags: "x", source: { ...source, how } }, choice, null);
  assert.deepEqual(derived("remix"), { path: "api/video/tasks/video_1/remix", body: { prompt: "at night" } });
  assert.deepEqual(derived("edit"), { path: "v1/videos/edits", body: { prompt: "at night", video: { id: "video_1" } } });
  assert.deepEqual(derived("extend"), {
    path: "v1/videos/extensions",
    body: { prompt: "at night", video: { id: "video_1" }, seconds: 8 },
  });
});

test("an extension costs its added seconds, a remix those of the video", () => {
  assert.equal(questionOf({ prompt: "x", source: { ...source, how: "extend" } }, null).seconds, 8);
  assert.equal(questionOf({ prompt: "x", source }, null).seconds, 4);
});

// --- what keeps it from being sent ---

test("what is too much is said before it is sent", () => {
  assert.equal(faultOf({ prompt: "  " }, LIMITS).key, "composer.empty");
  assert.equal(faultOf({ prompt: "x".repeat(21) }, LIMITS).key, "composer.tooLong");
  assert.equal(faultOf({ prompt: "🛶".repeat(20) }, LIMITS), null);
  assert.deepEqual(faultOf({ prompt: "a\nb", list: true, variants: 4 }, LIMITS).values, { count: 8, most: 6 });
  assert.equal(faultOf({ prompt: "a", tags: Array.from({ length: 21 }, (_, at) => `t${at}`).join(",") }, LIMITS).param, "tags");
  assert.equal(faultOf({ prompt: "x".repeat(50), variants: 100 }, { prompt: 0, batch: 0 }), null);
});

test("a template is sent when all its gaps are filled in", () => {
  const template = { gaps: ["a", "b"], values: { a: "1" } };
  assert.deepEqual(faultOf({ prompt: "1 {b}", template }, LIMITS).values, { names: "{b}" });
  assert.equal(faultOf({ prompt: "1 2", template: { ...template, values: { a: "1", b: "2" } } }, LIMITS), null);
});

test("an error of the gateway is said where it belongs", () => {
  const places = {
    prompt: "prompt", "items[3].prompt": "prompt", size: "choices", seconds: "choices", inputReference: "image",
    "inputReference.imageUrl": "image", "template.values": "template", variants: "several", tags: "tags", video: "source",
    "Idempotency-Key": "form",
  }; // prettier-ignore
  for (const [param, place] of Object.entries(places)) assert.equal(placeOf({ param }), place, param);
  assert.equal(placeOf({ param: null }), "form");
  assert.equal(placeOf(null), "form");
});

test("tags stand between commas of either script, each once", () => {
  assert.deepEqual(tagsOf(" rain,雨天，港口、rain ,,"), ["rain", "雨天", "港口"]);
  assert.deepEqual(tagsOf(undefined), []);
});

// --- templates and pictures ---

test("a gap without a value stays as it is, and the name of a method is none", () => {
  assert.equal(fill("{{a}} {b} {c} {toString}", { b: "{c}", c: "" }), "{a} {c} {c} {toString}");
  assert.deepEqual(unfilled(["b", "toString"], { b: "1" }), ["toString"]);
});

test("what happens to an image is said in numbers", () => {
  const [image, size] = [{ width: 1600, height: 900 }, { width: 720, height: 1280 }];
  assert.equal(effect(image, size, "crop").lost, 68);
  assert.equal(effect(image, size, "crop").bars, 0);
  assert.equal(effect(image, size, "pad").bars, 68);
  assert.equal(effect(image, size, "stretch").bent, 216);
  assert.equal(effect({ width: 1280, height: 720 }, { width: 1280, height: 720 }, "crop").bent, 0);
});
