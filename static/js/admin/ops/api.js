// What only these tabs ask for.

import { request } from "../../api.js";

const upstream = (name) => `api/admin/upstreams/${encodeURIComponent(name)}`;
const job = (id, what) => `api/admin/jobs/${encodeURIComponent(id)}/${what}`;

export const upstreams = {
  list: () => request("GET", "api/admin/upstreams"),
  /** `wish` is the configuration; without `apiKey` the one that is there stays. */
  put: (name, wish) => request("PUT", upstream(name), { body: wish }),
  remove: (name) => request("DELETE", upstream(name)),
  /** Both give { ok, lines: [{ well, message, profile }] }. */
  test: (name) => request("POST", `${upstream(name)}/test`),
  tryOut: (name, wish) => request("POST", `${upstream(name)}/try`, { body: wish }),
  pause: (name) => request("POST", `${upstream(name)}/pause`),
  resume: (name) => request("POST", `${upstream(name)}/resume`),
};

/** Each decision gives the task as it is then. */
export const doubts = {
  list: () => request("GET", "api/admin/jobs/unknown"),
  look: (id) => request("POST", job(id, "look-again")),
  adopt: (id, externalVideoId) => request("POST", job(id, "adopt"), { body: { externalVideoId } }),
  /** Only while `attemptId` is the latest create: a press that is repeated by itself buys nothing more. */
  payAgain: (id, attemptId) => request("POST", `${job(id, "pay-again")}?${new URLSearchParams({ attemptId })}`),
  giveUp: (id) => request("POST", job(id, "give-up")),
};

export const disputes = {
  list: () => request("GET", "api/admin/disputes"),
  settle: (id) => request("POST", job(id, "settle")),
  release: (id) => request("POST", job(id, "release")),
};

/** `period` is { since, until }. */
export const statistics = (period) => request("GET", `api/admin/statistics?${new URLSearchParams(period)}`);
export const usage = (period) => request("GET", `api/admin/usage?${new URLSearchParams(period)}`);
export const stats = () => request("GET", "api/admin/stats");
export const storage = () => request("GET", "api/admin/storage");
