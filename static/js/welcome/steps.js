// The three first steps, and which of them comes next.

export const STEPS = ["account", "video", "upstream"];

/** The step that the address names, or the first that is not done. `known` tells { hasPassword, videos, simulator }. */
export function stepOf(named, { hasPassword, videos, simulator }) {
  if (STEPS.includes(named)) return named;
  if (!hasPassword) return "account";
  return simulator && videos === 0 ? "video" : "upstream";
}
