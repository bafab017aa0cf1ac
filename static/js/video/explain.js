// What the code of a failed video means for people: the name of an explanation, and of what can be done about it. Upstreams
// have codes of their own, so what is not in the table is recognised by its form.

/** By code: those of the gateway's own decisions, those of its catalogue of errors, and those that upstreams share. */
const MEANINGS = {
  moderation: [
    "moderation_blocked", "content_policy_violation", "sentinel_block", "prompt_unsafe", "image_unsafe",
    "video_unsafe", "moderation", "content_moderation", "safety", "451",
  ],
  fileLost: ["file_lost", "gone", "not_ready"],
  tooLong: ["final_limit", "request_timeout", "timeout", "expired"],
  inputLost: ["input_lost"],
  image: ["invalid_image", "input_reference", "unsupported_media_type", "too_large"],
  unsupported: ["unsupported_by_upstream", "method_not_allowed"],
  model: ["model_not_found"],
  givenUp: ["given_up"],
  unknown: ["outcome_unknown", "lost"],
  cancelled: ["cancelled"],
  cancelledUpstream: ["cancelled_upstream"],
  upstreamBalance: [
    "insufficient_quota", "insufficient_user_quota", "insufficient_balance", "billing_hard_limit_reached", "http_402",
  ],
  upstreamKey: ["http_401", "http_403", "invalid_api_key"],
  busy: ["rate_limited", "rate_limit_exceeded", "http_429", "http_503", "unavailable", "too_many_connections"],
  refused: ["invalid_request", "invalid_type", "invalid_value", "http_400", "http_404", "http_405", "http_413", "http_415", "http_422"],
  broken: ["upstream_failed", "failed", "server_error", "internal_server_error", "http_500", "http_502", "http_504"],
  credits: ["insufficient_credits"],
  plan: ["plan_forbids", "plan_limit", "daily_credits_used"],
  rights: ["forbidden", "scope_missing", "not_found"],
  signIn: [
    "not_authenticated", "fresh_login_needed", "sign_in_expired", "sign_in_refused", "account_disabled", "account_exists",
    "address_not_verified", "identity_taken", "last_sign_in", "not_admitted", "provider_failed", "provider_unavailable",
    "wrong_password", "invalid_signature", "insecure_connection",
  ],
  address: ["unknown_host", "credential_in_url", "cross_origin"],
  state: ["conflict", "not_finished", "already_ended", "idempotency_mismatch", "range_not_satisfiable"],
  storage: ["storage_full", "storage_failed"],
  gateway: ["internal_error"],
};

const BY_CODE = new Map(Object.entries(MEANINGS).flatMap(([meaning, codes]) => codes.map((code) => [code, meaning])));

/** The names of all explanations; each has texts `video.why.NAME` and `video.todo.NAME`. */
export const EXPLANATIONS = [...Object.keys(MEANINGS), "other"];

/** Whether the code is in the table itself. */
export const isKnown = (code) => BY_CODE.has(code);

/** The name of the explanation of `code`. */
export function meaningOf(code) {
  const lowered = code.toLowerCase();
  const known = BY_CODE.get(lowered);
  if (known) return known;
  if (lowered.startsWith("safety.")) return "moderation";
  if (/^http_4\d\d$/.test(lowered)) return "refused";
  if (/^http_5\d\d$/.test(lowered)) return "broken";
  return "other";
}
