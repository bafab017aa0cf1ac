// From a draft to what is asked of the gateway, and what keeps it from being asked. Pure.

import { unfilled } from "./gaps.js";
import { promptLines } from "./lines.js";

export const MOST_VARIANTS = 100;
const MOST_TAGS = 20;
const LONGEST_TAG = 50;

/** The tags in what somebody typed: between commas, each once. */
export const tagsOf = (text = "") => [...new Set(text.normalize("NFC").split(/[,，、]/).map((tag) => tag.trim()).filter(Boolean))];

/** Whether it is made from a video instead of from nothing. */
export const derives = (draft) => Boolean(draft.source && draft.source.how !== "create");

/** The prompts that the draft has; a list has one in each line. */
export function promptsOf(draft) {
  const text = (draft.prompt ?? "").trim();
  if (draft.list && !derives(draft)) return promptLines(text);
  return text ? [text] : [];
}

const variantsOf = (draft) => (derives(draft) ? 1 : (draft.variants ?? 1));

/** How many videos it asks for. */
export const countOf = (draft) => promptsOf(draft).length * variantsOf(draft);

/** The question for the price, or null while there is nothing to ask. */
export function questionOf(draft, choice) {
  const { source } = draft;
  if (derives(draft)) {
    return { model: source.model, size: source.size, seconds: source.how === "extend" ? source.by : source.seconds };
  }
  if (!choice) return null;
  const variants = Math.max(1, countOf(draft));
  return { model: choice.model, size: choice.size, seconds: choice.seconds, ...(variants > 1 && { variants }) };
}

/** What keeps it from being sent: { param, key, values }, or null. `limits` are those of /api/models; 0 is unlimited. */
export function faultOf(draft, limits = {}) {
  const prompts = promptsOf(draft);
  if (draft.template && unfilled(draft.template.gaps, draft.template.values).length) {
    const names = unfilled(draft.template.gaps, draft.template.values).map((name) => `{${name}}`).join(", ");
    return { param: "template", key: "composer.unfilled", values: { names } };
  }
  if (prompts.length === 0) return { param: "prompt", key: "composer.empty" };
  const longest = Math.max(...prompts.map((prompt) => [...prompt].length));
  if (limits.prompt && longest > limits.prompt) {
    return { param: "prompt", key: "composer.tooLong", values: { length: longest, most: limits.prompt } };
  }
  const count = countOf(draft);
  if (count > 1 && limits.batch && count > limits.batch) {
    return { param: "variants", key: "composer.tooMany", values: { count, most: limits.batch } };
  }
  if (derives(draft)) return null;
  const tags = tagsOf(draft.tags);
  if (tags.length > MOST_TAGS || tags.some((tag) => [...tag].length > LONGEST_TAG)) {
    return { param: "tags", key: "composer.badTags", values: { most: MOST_TAGS, longest: LONGEST_TAG } };
  }
  return null;
}

/** What is sent: { path, body }. `image` is an inputReference, or null. */
export function wishOf(draft, choice, image) {
  const prompts = promptsOf(draft);
  const { source } = draft;
  if (derives(draft)) {
    const [prompt] = prompts;
    if (source.how === "remix") return { path: `api/video/tasks/${encodeURIComponent(source.id)}/remix`, body: { prompt } };
    const video = { id: source.id };
    if (source.how === "edit") return { path: "v1/videos/edits", body: { prompt, video } };
    return { path: "v1/videos/extensions", body: { prompt, video, seconds: source.by } };
  }
  const { model, size, seconds } = choice;
  const tags = tagsOf(draft.tags);
  const rest = {
    model,
    size,
    seconds,
    ...(image && { inputReference: image, fit: draft.fit ?? "crop" }),
    ...(draft.visibility === "team" && { visibility: "team" }),
    ...(tags.length > 0 && { tags }),
  };
  if (countOf(draft) === 1) return { path: "api/video/tasks", body: { prompt: prompts[0], ...rest } };
  const items = prompts.map((prompt) => ({ prompt }));
  return { path: "api/video/tasks/batch", body: { items, variants: variantsOf(draft), ...rest } };
}

const PLACES = [
  [/^(prompt|prompts|items)\b/, "prompt"],
  [/^(model|size|seconds)$/, "choices"],
  [/^(inputReference|fit|file|imageUrl|imageId)/, "image"],
  [/^template/, "template"],
  [/^variants$/, "several"],
  [/^tags/, "tags"],
  [/^(video|source)/, "source"],
];

/** Where on the form it is said what went wrong: the name of a part, or "form". */
export const placeOf = (error) => PLACES.find(([name]) => name.test(error?.param ?? ""))?.[1] ?? "form";
