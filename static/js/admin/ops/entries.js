// An upstream as it is configured and as it does, worked out without a browser.

/** How it does in one word, the worst first: what stops creates counts more than what delays them. */
export function conditionOf({ paused, open, breaker, spend }) {
  if (paused) return "paused";
  if (breaker === "open") return "silent";
  if (!open) return "refused";
  if (spend.reached) return "capped";
  return breaker === "half-open" ? "careful" : "open";
}

/** "sora-2 = wan-2.2" on each line -> { "sora-2": "wan-2.2" }; a name alone is called the same there. Null when a line
 *  is not like that. */
export function modelsOf(text) {
  const models = {};
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const [ours, theirs = ours, ...more] = line.split("=").map((each) => each.trim());
    if (!ours || !theirs || more.length) return null;
    models[ours] = theirs;
  }
  return models;
}

export const modelsText = (models) =>
  Object.entries(models).map(([ours, theirs]) => (ours === theirs ? ours : `${ours} = ${theirs}`)).join("\n");

const words = (text) => text.split(/[\s,，、]+/).filter(Boolean);
const WHOLE = ["maxConcurrent", "maxCreating", "requestsPerMinute"];
const MONEY = ["costPerVideo", "costPerSecond", "spendCap"];
const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** What a form says -> { wish: { name, fields } }, or { field, key } of what is not filled in as it should be. */
export function wishOf(said) {
  const name = said.name.trim();
  if (!NAME.test(name)) return { field: "name", key: "ops.form.nameBad" };
  if (!/^https?:\/\/\S+$/.test(said.baseUrl.trim())) return { field: "baseUrl", key: "ops.form.addressBad" };
  const models = modelsOf(said.models);
  if (models === null) return { field: "models", key: "ops.form.modelsBad" };
  const seconds = words(said.seconds).map(Number);
  if (seconds.some((each) => !Number.isInteger(each) || each < 1)) return { field: "seconds", key: "ops.form.secondsBad" };
  const fields = { dialect: said.dialect, profile: said.profile, baseUrl: said.baseUrl.trim(), models };
  for (const [names, fits] of [[WHOLE, Number.isInteger], [MONEY, Number.isFinite]]) {
    for (const each of names) {
      const text = said[each].trim();
      if (text === "") continue; // The gateway's default.
      if (!fits(Number(text)) || Number(text) < 0) return { field: each, key: "ops.form.numberBad" };
      fields[each] = Number(text);
    }
  }
  return {
    wish: {
      name,
      fields: {
        ...fields,
        sizes: words(said.sizes),
        seconds,
        onAmbiguous: said.onAmbiguous,
        ...(said.apiKey && { apiKey: said.apiKey }),
        ...(said.webhookSecret && { webhookSecret: said.webhookSecret }),
      },
    },
  };
}

/** The fields of an upstream that there is, as they stand in its form. */
export const fieldsOf = (known) => ({
  name: known?.name ?? "",
  dialect: known?.dialect ?? "openai",
  profile: known?.profile ?? "generic",
  baseUrl: known?.baseUrl ?? "",
  models: modelsText(known?.models ?? {}),
  sizes: (known?.sizes ?? []).join(", "),
  seconds: (known?.seconds ?? []).join(", "),
  maxConcurrent: known?.limits.maxConcurrent ?? "",
  maxCreating: known?.limits.maxCreating ?? "",
  requestsPerMinute: known?.budget.perMinute ?? "",
  costPerVideo: known?.limits.costPerVideo ?? "",
  costPerSecond: known?.limits.costPerSecond ?? "",
  spendCap: known?.spend.cap ?? "",
  onAmbiguous: known?.abilities.onAmbiguous ?? "",
});
