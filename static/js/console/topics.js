// What the live protocol is asked for, as a message and as the address of a stream.

/** The message that asks for what is chosen. */
export function subscribeOf({ topic, id, since, log, pending }) {
  return {
    type: "subscribe",
    [topic]: topic === "all" ? true : id,
    ...(since && { since }),
    ...(log && topic !== "all" && { log: true }),
    ...(pending && topic === "externalVideoId" && { pending: true }),
  };
}

/** The stream for the same. */
export function streamOf({ topic, id, since, log }) {
  const search = new URLSearchParams({ ...(since && { since }), ...(log && topic !== "all" && { log: "true" }) });
  const path = topic === "all" ? "api/events/stream" : `api/video/tasks/${encodeURIComponent(id)}/stream`;
  return `${path}${search.size ? `?${search}` : ""}`;
}
