// What is shown is looked at again now and then, for as long as somebody may be looking.

import { useEffect } from "../../../vendor/hooks.js";
import { useLoaded } from "../../views/loaded.js";

const AGAIN_MS = 10_000;

/** As useLoaded, and asks again by itself. */
export function useWatched(load, keys = []) {
  const loaded = useLoaded(load, keys);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && loaded.again(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [loaded.again]);
  return loaded;
}
