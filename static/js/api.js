// The one place that calls the gateway's HTTP API. Nothing else uses fetch, but for the texts in i18n.js.
//
// Every function resolves with the decoded JSON body (null for 204) and rejects with an ApiError.

const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  /** `code` is the catalogue's, or "network" when no answer came; `status` is 0 then. */
  constructor({ code, message, param = null, requestId = null }, status) {
    super(message);
    this.code = code;
    this.status = status;
    this.param = param;
    this.requestId = requestId;
  }
}

let serverAhead = 0;

/** The server's idea of now in epoch milliseconds; a browser's clock may be minutes off. */
export const serverNow = () => Date.now() + serverAhead;

let unauthorized = () => {};

/** `callback` runs whenever a session turns out to be gone. */
export const onUnauthorized = (callback) => {
  unauthorized = callback;
};

/** An address relative to the page, so that the gateway may live under a sub-path. */
const address = (path) => new URL(path, document.baseURI);

export const socketAddress = () => {
  const url = address("ws");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
};

/** A file's address as the server gave it: absolute, or a path. Undefined for none. */
export const fileAddress = (url) => (url ? address(url).href : undefined);

async function request(method, path, { body, headers = {}, quiet401 = false } = {}) {
  let response;
  let text;
  try {
    response = await fetch(address(path), {
      method,
      headers: { accept: "application/json", ...(body && { "content-type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (reason) {
    throw new ApiError({ code: "network", message: String(reason?.message ?? reason) }, 0);
  }
  noteServerTime(response);
  const answer = decoded(text);
  if (response.ok) return answer;
  const error = answer?.error ?? { code: "bad_answer", message: `HTTP ${response.status}` };
  if (response.status === 401 && !quiet401) unauthorized();
  throw new ApiError(error, response.status);
}

function decoded(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // A proxy's HTML page, for example: the status says enough.
  }
}

function noteServerTime(response) {
  const ahead = Date.parse(response.headers.get("date") ?? "") - Date.now();
  // The header counts in whole seconds: smaller differences are noise.
  if (!Number.isNaN(ahead)) serverAhead = Math.abs(ahead) < 2_000 ? 0 : ahead;
}

const unanswered = new Map();

/** A POST that costs money: repeated after a lost answer it carries the same key, and is paid once. */
async function paid(path, body) {
  const what = `${path} ${JSON.stringify(body ?? null)}`;
  const key = unanswered.get(what) ?? randomKey();
  unanswered.set(what, key);
  try {
    const task = await request("POST", path, { body, headers: { "idempotency-key": key } });
    unanswered.delete(what);
    return task;
  } catch (error) {
    if (error.status > 0 && error.status < 500) unanswered.delete(what);
    throw error;
  }
}

// crypto.randomUUID would need HTTPS; a gateway on a home network may have none.
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const task = (id) => `api/video/tasks/${encodeURIComponent(id)}`;

export const auth = {
  me: () => request("GET", "api/auth/me", { quiet401: true }),
  redeem: (token) => request("POST", "api/auth/redeem", { body: { token }, quiet401: true }),
  logout: () => request("POST", "api/auth/logout", { quiet401: true }),
};

export const models = () => request("GET", "api/models");

export const tasks = {
  create: (draft) => paid("api/video/tasks", draft),
  list: ({ limit = 50, after } = {}) =>
    request("GET", `api/video/tasks?${new URLSearchParams({ limit, ...(after && { after }) })}`),
  get: (id) => request("GET", task(id)),
  events: (id) => request("GET", `${task(id)}/events`),
  cancel: (id) => request("POST", `${task(id)}/cancel`),
  retry: (id) => paid(`${task(id)}/retry`),
  refreshUrl: (id) => request("POST", `${task(id)}/refresh-url`),
  remove: (id) => request("DELETE", task(id)),
  /** Asks for one byte of a file: rejects with the reason when it cannot be had. */
  probe: (url) => request("GET", url, { headers: { range: "bytes=0-0" }, quiet401: true }),
};

export const keys = {
  list: () => request("GET", "api/keys"),
  create: (name) => request("POST", "api/keys", { body: { name } }),
  revoke: (id) => request("DELETE", `api/keys/${encodeURIComponent(id)}`),
};
