// What only the composer asks of the gateway.

import { paid, request, tasks } from "../api.js";

/** Like a create without its image; see docs/credits.md. */
export const quote = (question) => request("POST", "api/video/quote", { body: question });

/** Asks for the videos of a wish (wish.js) and resolves with their tasks. */
export async function make({ path, body }, options) {
  const made = await paid(path, body, options);
  if (made.tasks) return made.tasks;
  return [path.startsWith("v1/") ? await tasks.get(made.id) : made];
}
