// One video as it is now: fetched, and kept up to date by what the live connection tells.

import { useEffect, useRef } from "../../vendor/hooks.js";
import { isEnded, job, order } from "../state.js";
import { useLoaded } from "../views/loaded.js";
import { videos } from "./api.js";

const PAUSE_MS = 1_500;

/** What useLoaded gives, with the newest known task as `value`. `id` is the gateway's or the upstream's. */
export function useTask(id) {
  const fetched = useLoaded(() => videos.get(id), [id]);
  const own = fetched.value && [fetched.value.videoId, fetched.value.externalVideoId].includes(id) ? fetched.value : undefined;
  const known = own && order.value.includes(own.videoId) ? job(own.videoId)?.value : undefined;
  // An update says nothing of tags, and of the files only once they are there.
  const value = known && known.seq > own.seq ? { ...own, ...known, tags: own.tags } : own;
  const ended = value && isEnded(value) && !isEnded(own);
  useEffect(() => {
    if (ended) fetched.again(); // Once more as a whole: files, credits, what it was.
  }, [ended]);
  return { ...fetched, value };
}

/** `load` again whenever `mark` changes, at most every second and a half: a busy video must not ask without end. */
export function useReloaded(load, id, mark) {
  const loaded = useLoaded(load, [id]);
  const newest = useRef(mark);
  const told = useRef(mark);
  const timer = useRef(0);
  newest.current = mark;
  useEffect(() => {
    if (told.current === mark || timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = 0;
      told.current = newest.current;
      loaded.again();
    }, PAUSE_MS);
  }, [mark]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return loaded;
}
