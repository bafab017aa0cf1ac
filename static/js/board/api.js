// What only the board asks of the gateway.

import { request } from "../api.js";

const PAGE = 100;
const PAGES = 20;
const MOST_AT_ONCE = 200;

/** All unfinished jobs of a scope, newest first: { tasks, whole }; not whole when there are more than anybody looks at. */
export async function unfinished(scope) {
  const tasks = [];
  for (let page = 0; page < PAGES; page++) {
    const query = new URLSearchParams([["status", "queued"], ["status", "processing"], ["scope", scope], ["limit", PAGE]]);
    if (tasks.length) query.set("after", tasks.at(-1).videoId);
    const answer = await request("GET", `api/video/tasks?${query}`);
    tasks.push(...answer.tasks);
    if (!answer.hasMore) return { tasks, whole: true };
  }
  return { tasks, whole: false };
}

export const batchOf = (id) => request("GET", `api/video/batches/${encodeURIComponent(id)}`);

export const outages = () => request("GET", "api/outages");

/** Cancels many; resolves with how many of them could not be. */
export async function cancelAll(ids) {
  let refused = 0;
  for (let start = 0; start < ids.length; start += MOST_AT_ONCE) {
    const body = { action: "cancel", ids: ids.slice(start, start + MOST_AT_ONCE) };
    const { results } = await request("POST", "api/video/tasks/bulk", { body });
    refused += results.filter(({ done, error }) => !done && error.code !== "already_ended").length;
  }
  return refused;
}
