// What became of a video after a decision, worked out without a browser.

const RESULTS = { unknown: "ops.result.unknown", failed: "ops.result.failed", cancelled: "ops.result.failed", queued: "ops.result.again", submitting: "ops.result.again" };

/** The key of the sentence for a task as it is after a decision: by its stage, not by what was hoped for. */
export const resultOf = ({ stage }) => RESULTS[stage] ?? "ops.result.found";

/** The sum of what is held for `jobs`, in credits. */
export const creditsOf = (jobs) => jobs.reduce((sum, { credits }) => sum + credits, 0);
