// How long a job still takes, as far as anybody can say.

const TELLING = 5; // Percent from which a reported progress says something about the rest.

/** Seconds; 0 or less, or NaN, when nothing can be said. What jobs like it took, unless its own progress says less. */
export function remaining(task, now) {
  if (task.stage === "storing") return 0; // What is expected is the upstream's part.
  const learned = (Date.parse(task.estimatedCompletionAt) - now) / 1_000;
  if (task.progressEstimated || !(task.progress >= TELLING)) return learned;
  const passed = (now - Date.parse(task.submittedAt ?? task.createdAt)) / 1_000;
  const measured = (passed * (100 - task.progress)) / task.progress;
  return Number.isNaN(learned) ? measured : Math.min(learned, measured);
}
