// What the gallery is narrowed to, in the address and in what the API is asked; nothing here touches the page.

export const STATUSES = ["completed", "processing", "queued", "failed", "cancelled"];
export const SCOPES = ["visible", "mine", "team"];

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const LONGEST_SEARCH = 200;

/** { status, model, tag: lists; owner, q, scope; since, until: days such as "2026-11-22", both included }. What the
 *  address says and nobody knows is left out: it may be typed, or an old bookmark. */
export function readFilters(search) {
  const listed = (name) => [...new Set(search.getAll(name))].filter(Boolean);
  const day = (name) => (isDay(search.get(name)) ? search.get(name) : "");
  const scope = search.get("scope");
  return {
    status: listed("status").filter((status) => STATUSES.includes(status)),
    model: listed("model"),
    tag: listed("tag"),
    owner: search.get("owner") ?? "",
    q: (search.get("q") ?? "").slice(0, LONGEST_SEARCH),
    since: day("since"),
    until: day("until"),
    scope: SCOPES.includes(scope) ? scope : "visible",
  };
}

const isDay = (text) => DAY.test(text ?? "") && !Number.isNaN(Date.parse(`${text}T00:00:00`));

/** The same as pairs for an address; what narrows nothing is left out. */
export function writeFilters({ status, model, tag, owner, q, since, until, scope }) {
  return [
    ...status.map((each) => ["status", each]),
    ...model.map((each) => ["model", each]),
    ...tag.map((each) => ["tag", each]),
    ...Object.entries({ owner, q: q.trim(), since, until }).filter(([, value]) => value),
    ...(scope === "visible" ? [] : [["scope", scope]]),
  ];
}

/** Whether anything but whose they are narrows the list. */
export const isNarrowed = (filters) => writeFilters({ ...filters, scope: "visible" }).length > 0;

/** The query of the API. Days are the reader's own, from midnight to midnight. */
export function queryOf(filters, { limit, after }) {
  const pairs = writeFilters({ ...filters, since: "", until: "" });
  const { since, until } = momentsOf(filters);
  if (since) pairs.push(["since", since.toISOString()]);
  if (until) pairs.push(["until", until.toISOString()]);
  if (after) pairs.push(["after", after]);
  return new URLSearchParams([...pairs, ["limit", limit]]);
}

function momentsOf({ since, until }) {
  const end = until ? new Date(`${until}T00:00:00`) : null;
  end?.setDate(end.getDate() + 1);
  return { since: since ? new Date(`${since}T00:00:00`) : null, until: end };
}

// The API compares Latin letters in either case, and no others.
const folded = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Whether a task belongs in the list, so that a new one is put there without asking. */
export function fits(task, filters) {
  const { since, until } = momentsOf(filters);
  const created = Date.parse(task.createdAt);
  return (
    (filters.status.length === 0 || filters.status.includes(task.status)) &&
    (filters.model.length === 0 || filters.model.includes(task.model)) &&
    filters.tag.every((tag) => task.tags.includes(tag)) &&
    (!filters.owner || task.owner.id === filters.owner) &&
    (!filters.q.trim() || folded(task.prompt).includes(folded(filters.q.trim()))) &&
    (!since || created >= since) &&
    (!until || created < until) &&
    (filters.scope !== "mine" || task.mine) &&
    (filters.scope !== "team" || task.visibility === "team")
  );
}
