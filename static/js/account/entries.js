// Entries of the ledger in words: which text says what an entry is. No texts here, only their keys.

/** The kinds that a filter offers, in the order in which they happen. */
export const KINDS = ["grant", "redeem", "hold", "settle", "release", "adjust"];

/** What the gateway itself notes, in the words in which it stores it. */
const NOTED = [
  ["grant", /^starting balance$/, () => ["account.entry.start", {}]],
  ["grant", /^credits of (\d{4}-\d{2})$/, ([, month]) => ["account.entry.month", { month }]],
  ["redeem", /^code (\w+)$/, ([, code]) => ["account.entry.code", { code }]],
];

/** { key, values, note } of an entry: the text that says what it is, and what somebody noted on it beside that. */
export function wordsOf({ kind, by, note }) {
  for (const [of, pattern, words] of NOTED) {
    const found = of === kind && by !== "administrator" && pattern.exec(note);
    if (found) {
      const [key, values] = words(found);
      return { key, values, note: "" };
    }
  }
  return { key: `account.entry.${kind}`, values: {}, note };
}

/** The question for the API: days as a date field has them ("2026-11-22"), taken as days of the reader, both with it. */
export function wishOf({ kind, from, to }) {
  const midnight = (day, days) => {
    const [year, month, date] = day.split("-").map(Number);
    return new Date(year, month - 1, date + days).toISOString();
  };
  return { ...(kind && { kind }), ...(from && { since: midnight(from, 0) }), ...(to && { until: midnight(to, 1) }) };
}
