// The steps of a job as a list: one more of them, and runs of the same as one.

/** The events with one more, in order; one that is there already changes nothing. */
export function withEvent(events, event) {
  if (events.some(({ seq }) => seq === event.seq)) return events;
  const at = events.findIndex(({ seq }) => seq > event.seq);
  return at < 0 ? [...events, event] : events.toSpliced(at, 0, event);
}

/** Of several progress events in a row the last one says it all. */
export const withoutRuns = (events) =>
  events.filter((event, at) => event.step !== "progress" || events[at + 1]?.step !== "progress");
