// What the console asks the gateway for: its description, and whatever somebody wants to try.

import { raw, request } from "../api.js";

export const description = () => request("GET", "openapi.json");

/** { status, headers, text, took } of any answer; raises ApiError only when none came. */
export const tryOut = ({ method, path, headers, body }) => raw(method, path, { headers, body });
