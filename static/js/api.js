// The one place that calls the gateway's HTTP API. Nothing else uses fetch, but for the texts in i18n.js and the live
// connection, whose module stands alone. What only one screen asks for stands in that screen's own api.js, on top of
// `request` and `paid`.
//
// Every function resolves with the decoded JSON body (null for 204) and rejects with an ApiError.

const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  /** `code` is the catalogue's, or "network" when no answer came; `status` is 0 then. */
  constructor({ code, message, param = null, requestId = null }, status, retryAfter = null) {
    super(message);
    this.code = code;
    this.status = status;
    /** When asking again may help, in this browser's epoch milliseconds; null when the answer does not say. */
    this.retryAt = retryAfter === null ? null : Date.now() + retryAfter * 1_000;
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

/** A file's address as the server gave it: absolute, or a path. Undefined for none. */
export const fileAddress = (url) => (url ? address(url).href : undefined);

const send = (url, wanted) => fetch(url, { ...wanted, signal: AbortSignal.timeout(TIMEOUT_MS) });

/** `exchange` stands in for fetch where more than the answer counts; it gives up by itself. `keepalive` is for what has to
 *  arrive although the page goes away. */
export async function request(method, path, { body, headers = {}, quiet401 = false, keepalive = false, exchange = send } = {}) {
  let response;
  let text;
  try {
    response = await exchange(address(path), {
      method,
      headers: { accept: "application/json", ...(body && { "content-type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      keepalive,
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
  throw new ApiError(error, response.status, retryAfter(response));
}

/** Any answer as it came, for the console: { status, headers, text, took }, in milliseconds. With an `authorization`
 *  of its own the cookie does not count. */
export async function raw(method, path, { headers = {}, body } = {}) {
  const began = performance.now();
  try {
    const response = await fetch(address(path), {
      method, headers, body, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, headers: [...response.headers], text, took: performance.now() - began };
  } catch (reason) {
    throw new ApiError({ code: "network", message: String(reason?.message ?? reason) }, 0);
  }
}

/** Seconds, or null. */
function retryAfter(response) {
  const seconds = parseInt(response.headers.get("retry-after") ?? "", 10);
  return seconds > 0 ? seconds : null;
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
export async function paid(path, body, options = {}) {
  const what = `${path} ${JSON.stringify(body ?? null)}`;
  const key = unanswered.get(what) ?? randomKey();
  unanswered.set(what, key);
  try {
    const task = await request("POST", path, { ...options, body, headers: { "idempotency-key": key } });
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
  methods: () => request("GET", "api/auth/methods"),
  redeem: (token) => request("POST", "api/auth/redeem", { body: { token }, quiet401: true }),
  login: (email, password) => request("POST", "api/auth/login", { body: { email, password }, quiet401: true }),
  register: (wish) => request("POST", "api/auth/register", { body: wish, quiet401: true }),
  reset: (token, password) => request("POST", "api/auth/reset", { body: { token, password }, quiet401: true }),
  /** `change` is { current, new }; somebody's first password has no `current`. */
  password: (change) => request("POST", "api/auth/password", { body: change }),
  logout: () => request("POST", "api/auth/logout", { quiet401: true }),
  sessions: () => request("GET", "api/auth/sessions"),
  endSession: (id) => request("DELETE", `api/auth/sessions/${encodeURIComponent(id)}`),
  identities: () => request("GET", "api/auth/identities"),
  unlink: (id) => request("DELETE", `api/auth/identities/${encodeURIComponent(id)}`),
  /** Where the browser has to go for a provider; `wish` is { next, invitation, link }. */
  begin: (provider, wish) =>
    request("POST", `api/auth/oidc/${encodeURIComponent(provider)}/login`, { body: wish, quiet401: !wish.link }),
};

export const models = () => request("GET", "api/models");

export const tasks = {
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
  /** `wish` is { name, scopes, expiresIn }; without `expiresIn` (seconds) the key does not end by itself. */
  create: (wish) => request("POST", "api/keys", { body: wish }),
  revoke: (id) => request("DELETE", `api/keys/${encodeURIComponent(id)}`),
};
