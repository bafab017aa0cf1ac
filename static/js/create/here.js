// What went wrong, beside the part that it is about.

import { html } from "../html.js";
import { Problem } from "../views/attempt.js";
import { placeOf } from "./wish.js";

const ALWAYS_THERE = ["prompt", "choices"];

/** `at` is a place of wish.js; "rest" is every one that may be folded away. */
export function Here({ attempt, at }) {
  const place = placeOf(attempt.error);
  const here = at === "rest" ? !ALWAYS_THERE.includes(place) : place === at;
  return here && html`<${Problem} attempt=${attempt} />`;
}
