// Markup in plain JavaScript: htm bound to Preact, so that views need no build step.
import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export const html = htm.bind(h);
