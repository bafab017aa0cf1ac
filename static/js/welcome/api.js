// What only the first steps ask of the gateway.

import { paid, request } from "../api.js";

export const addAdministrator = (email, password) =>
  request("POST", "api/admin/users", { body: { email, password, role: "admin" } });

export const disable = (id) => request("PATCH", `api/admin/users/${encodeURIComponent(id)}`, { body: { disabled: true } });

/** `wish` is { prompt, model, size, seconds }; resolves with the task. */
export const makeVideo = (wish) => paid("api/video/tasks", wish);
