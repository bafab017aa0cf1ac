// What the gallery and the page of a video ask the API for, beside what every screen does.

import { fileAddress, paid, request } from "../api.js";

const task = (id) => `api/video/tasks/${encodeURIComponent(id)}`;
const pairs = (name, values) => new URLSearchParams(values.map((value) => [name, value]));

export const videos = {
  /** `query` is a URLSearchParams. */
  list: (query) => request("GET", `api/video/tasks?${query}`),
  facets: (scope) => request("GET", `api/video/facets?${new URLSearchParams({ scope })}`),
  get: (id) => request("GET", task(id)),
  details: (id) => request("GET", `${task(id)}/details`),
  events: (id) => request("GET", `${task(id)}/events`),
  madeFrom: (id) => request("GET", `api/video/tasks?${new URLSearchParams({ madeFrom: id, limit: 50 })}`),
  refreshUrl: (id) => request("POST", `${task(id)}/refresh-url`),
  cancel: (id) => request("POST", `${task(id)}/cancel`),
  retry: (id) => paid(`${task(id)}/retry`),
  setVisibility: (id, visibility) => request("POST", `${task(id)}/visibility`, { body: { visibility } }),
  setTags: (id, tags) => request("PUT", `${task(id)}/tags`, { body: { tags } }),
  /** Resolves with what became of each. `keepalive` when the page goes away. */
  removeAll: (ids, keepalive) =>
    request("POST", "api/video/tasks/bulk", { body: { action: "delete", ids }, keepalive }),
  /** Asks for the first byte: rejects with the reason when a file cannot be had. */
  probe: (url) => request("GET", url, { headers: { range: "bytes=0-0" }, quiet401: true }),
};

/** The address of an archive of the files of at most 50 videos. */
export const archiveAddress = (ids) => fileAddress(`api/video/tasks/archive?${pairs("ids", ids)}`);
export const MOST_IN_ARCHIVE = 50;

export const shares = {
  list: (id) => request("GET", `${task(id)}/shares`),
  create: (id, expiresIn) => request("POST", `${task(id)}/shares`, { body: { expiresIn } }),
  revoke: (id, share) => request("DELETE", `${task(id)}/shares/${encodeURIComponent(share)}`),
};

/** A newly signed state of the video, after a look whether its file can be had. Raises ApiError. */
export async function renewed(id) {
  const fresh = await videos.refreshUrl(id);
  if (fresh.videoUrl) await videos.probe(fresh.videoUrl);
  return fresh;
}
