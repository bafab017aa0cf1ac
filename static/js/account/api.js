// What only the account asks for. Every function rejects with an ApiError.

import { fileAddress, request } from "../api.js";

const search = (wish) => new URLSearchParams(Object.entries(wish).filter(([, value]) => value || value === 0)).toString();

export const credits = {
  standing: () => request("GET", "api/credits"),
  /** `wish` is { kind, since, until, after, limit }, moments as ISO 8601. */
  ledger: (wish) => request("GET", `api/credits/ledger?${search(wish)}`),
  /** Where the browser gets everything as a file. */
  file: () => fileAddress("api/credits/ledger.csv"),
  usage: (since, until) => request("GET", `api/credits/usage?${search({ since, until })}`),
  redeem: (code) => request("POST", "api/credits/redeem", { body: { code } }),
};

export const sessions = {
  endOthers: () => request("DELETE", "api/auth/sessions"),
  endAll: () => request("POST", "api/auth/logout-everywhere", { quiet401: true }),
};

const webhook = (id) => `api/webhooks/${encodeURIComponent(id)}`;

export const webhooks = {
  list: () => request("GET", "api/webhooks"),
  get: (id) => request("GET", webhook(id)),
  /** `wish` is { url, description, events, everybody }. */
  create: (wish) => request("POST", "api/webhooks", { body: wish }),
  change: (id, wish) => request("PATCH", webhook(id), { body: wish }),
  remove: (id) => request("DELETE", webhook(id)),
  rotate: (id) => request("POST", `${webhook(id)}/rotate-secret`),
  test: (id) => request("POST", `${webhook(id)}/test`),
  deliveries: (id, wish) => request("GET", `${webhook(id)}/deliveries?${search(wish)}`),
  replay: (id) => request("POST", `api/webhooks/deliveries/${encodeURIComponent(id)}/replay`),
};
