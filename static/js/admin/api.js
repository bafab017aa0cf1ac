// What only administrators ask for about people, credits, settings and the log.

import { request } from "../api.js";

const users = "api/admin/users";
const one = (id) => `${users}/${encodeURIComponent(id)}`;

/** A query of what is said; what is empty is left out. */
const asked = (path, query) => {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? `${path}?${new URLSearchParams(said)}` : path;
};

export const people = {
  list: (query = {}) => request("GET", asked(users, query)),
  get: (id) => request("GET", one(id)),
  /** `wish` is { email, role, password }. */
  create: (wish) => request("POST", users, { body: wish }),
  /** `change` is { role, disabled }. */
  change: (id, change) => request("PATCH", one(id), { body: change }),
  /** `kind` is "reset" or "login". */
  link: (id, kind) => request("POST", `${one(id)}/${kind}-link`),
  endSessions: (id) => request("POST", `${one(id)}/end-sessions`),
  keys: (id) => request("GET", `${one(id)}/keys`),
  revokeKey: (id, key) => request("DELETE", `${one(id)}/keys/${encodeURIComponent(key)}`),
  /** `wish` is { plan, until }; null is the default plan. */
  givePlan: (id, wish) => request("PUT", `${one(id)}/plan`, { body: wish }),
};

export const invitations = {
  list: () => request("GET", "api/admin/invitations"),
  /** `wish` is { email, role, expiresIn }. */
  create: (wish) => request("POST", "api/admin/invitations", { body: wish }),
  withdraw: (id) => request("DELETE", `api/admin/invitations/${encodeURIComponent(id)}`),
};

export const plans = {
  list: () => request("GET", "api/admin/plans"),
  put: (name, plan) => request("PUT", `api/admin/plans/${encodeURIComponent(name)}`, { body: plan }),
  remove: (name) => request("DELETE", `api/admin/plans/${encodeURIComponent(name)}`),
};

export const credits = {
  /** `wish` is { email, amount, note }. */
  grant: (wish) => request("POST", "api/admin/credits/grant", { body: wish }),
  /** Less than zero takes credits away. */
  adjust: (wish) => request("POST", "api/admin/credits/adjust", { body: wish }),
  ledger: (query) => request("GET", asked("api/admin/credits/ledger", query)),
  ledgerFile: (query) => asked("api/admin/credits/ledger.csv", query),
  check: () => request("GET", "api/admin/credits/check"),
  usage: (query) => request("GET", asked("api/admin/usage", query)),
};

export const codes = {
  list: () => request("GET", "api/admin/codes"),
  create: (wish) => request("POST", "api/admin/codes", { body: wish }),
  revoke: (id) => request("DELETE", `api/admin/codes/${encodeURIComponent(id)}`),
};

export const settings = {
  list: () => request("GET", "api/admin/settings"),
  /** { key: value }; null brings back what is configured. */
  change: (changes) => request("PATCH", "api/admin/settings", { body: changes }),
};

export const alerts = {
  list: () => request("GET", "api/admin/alerts"),
  test: (name) => request("POST", `api/admin/alerts/${encodeURIComponent(name)}/test`),
};

export const audit = (query) => request("GET", asked("api/admin/audit", query));
export const stats = () => request("GET", "api/admin/stats");
export const storage = () => request("GET", "api/admin/storage");
export const upstreams = () => request("GET", "api/admin/upstreams");
