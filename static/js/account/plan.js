// What a plan limits and how near somebody is to it.

const NEAR = 0.8;

/** The limits in the order in which they are met: { name, used, limit, level }. `limit` 0 is none; `level` is "free",
 *  "near" or "full", and "none" without a limit. */
export function limitsOf(plan, used) {
  const limits = [
    ["hour", used.hour, plan.perHour],
    ["day", used.day, plan.perDay],
    ["credits", used.credits, plan.dailyCredits],
  ];
  return limits.map(([name, count, limit]) => ({ name, used: count, limit, level: level(count, limit) }));
}

function level(used, limit) {
  if (limit === 0) return "none";
  if (used >= limit) return "full";
  return used >= limit * NEAR ? "near" : "free";
}
