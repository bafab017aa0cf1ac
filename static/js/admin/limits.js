// What is typed into the forms of administrators, as the API takes it. No page in here, so that node can try it.

export const LARGEST = 1_000_000_000;

/** A whole number from `least` on: undefined for nothing typed, NaN for what is none. */
export function whole(text, least = 0) {
  const typed = String(text ?? "").trim();
  if (!typed) return undefined;
  const number = /^-?\d{1,10}$/.test(typed) ? Number(typed) : NaN;
  return number >= least && number <= LARGEST ? number : NaN;
}

/** The limits of a plan; nothing typed is unlimited, which the API calls 0. */
export const LIMITS = ["monthlyCredits", "concurrency", "perHour", "perDay", "dailyCredits", "keepDays"];

/** A plan of what a form gave, or { field } of what is not a number. */
export function planOf(values) {
  const plan = { mayGenerate: values.mayGenerate === "on", priority: values.priority };
  for (const name of LIMITS) {
    const limit = whole(values[name]) ?? 0;
    if (Number.isNaN(limit)) return { field: name };
    plan[name] = limit;
  }
  return { plan };
}

/** Addresses that were typed or pasted, one after the other, each once. */
export function addresses(text) {
  const seen = new Map();
  for (const part of text.split(/[\s,;，；、]+/)) if (part) seen.set(part.toLowerCase(), seen.get(part.toLowerCase()) ?? part);
  return [...seen.values()];
}

/** The beginning of a day in this browser's time zone, `later` days on; undefined for nothing. `text` is 2026-11-22. */
export function dayBegins(text, later = 0) {
  const [year, month, day] = (text || "").split("-").map(Number);
  return day ? new Date(year, month - 1, day + later).toISOString() : undefined;
}

/** The day that ends at a moment, as a date field has it; nothing for never. */
export function lastDay(moment) {
  if (!moment) return "";
  const before = new Date(Date.parse(moment) - 1);
  const two = (number) => String(number).padStart(2, "0");
  return `${before.getFullYear()}-${two(before.getMonth() + 1)}-${two(before.getDate())}`;
}

/** What a setting's field holds, as the API takes it: undefined for what its type does not allow. */
export function settingOf({ type, minimum, above, maximum }, typed) {
  if (type === "boolean") return typed === "on";
  if (type === "string") return typed;
  const number = typed.trim() ? Number(typed) : NaN;
  if (!Number.isFinite(number) || (type === "integer" && !Number.isInteger(number))) return undefined;
  const fits = number >= (minimum ?? -Infinity) && number > (above ?? -Infinity) && number <= (maximum ?? Infinity);
  return fits ? number : undefined;
}

const ADDED = ["videos", "completed", "failed", "seconds", "settled", "held"];

/** The days of a usage list added up for each model, the most used first. */
export function byModel(days) {
  const models = new Map();
  for (const day of days) {
    const sum = models.get(day.model) ?? { model: day.model, ...Object.fromEntries(ADDED.map((name) => [name, 0])) };
    for (const name of ADDED) sum[name] += day[name];
    models.set(day.model, sum);
  }
  return [...models.values()].sort((one, other) => other.videos - one.videos);
}

/** What a form says about new codes: { wish }, or { field, key } of what is not filled in as it should be. */
export function codesOf({ count, credits, plan, planDays, uses, expires, note }) {
  const numbers = { count: whole(count, 1), credits: whole(credits), planDays: whole(planDays, 1), uses: whole(uses, 1) };
  for (const [field, number] of Object.entries(numbers)) if (Number.isNaN(number)) return { field };
  if (!numbers.credits && !plan) return { field: "credits", key: "admin.codes.worthNothing" };
  if (!plan) delete numbers.planDays;
  const wish = { ...numbers, plan: plan || undefined, expiresAt: dayBegins(expires, 1), note: note.trim() || undefined };
  return { wish: Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined)) };
}

/** "good", or why nobody can use it any more. `now` is in epoch milliseconds. */
export function codeState({ revokedAt, expiresAt, usesLeft }, now) {
  if (revokedAt) return "revoked";
  if (expiresAt && Date.parse(expiresAt) <= now) return "expired";
  return usesLeft === 0 ? "used" : "good";
}
