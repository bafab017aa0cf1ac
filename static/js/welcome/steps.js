// The three first steps, and which of them comes next.

export const STEPS = ["account", "video", "upstream"];

/** The step that the address names, or the first that is not done. The rest tells { hasPassword, video, simulator }, of
 *  which `video` is the id of their first one. */
export function stepOf(named, { hasPassword, video, simulator }) {
  if (STEPS.includes(named)) return named;
  if (!hasPassword) return "account";
  return simulator && !video ? "video" : "upstream";
}

/** The id of the reader's own first video, be it ready or on its way: of `tasks`, newest first, which may be of others as
 *  well. One that failed was no video, and the next one is the first. */
export const firstOwn = (tasks) =>
  tasks.findLast(({ mine, status }) => mine && status !== "failed" && status !== "cancelled")?.videoId;
