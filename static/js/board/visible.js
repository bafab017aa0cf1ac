// Whether a card is in sight, or nearly: the passing seconds and the percents are drawn for those only.

import { useEffect, useRef } from "../../vendor/hooks.js";
import { useSignal } from "../../vendor/signals.js";
import { halfMinute } from "../state.js";

const seen = new WeakMap();
let observer = null;

function watch(element, sight) {
  // One for all cards: hundreds of observers would each be asked at every scroll.
  observer ??= new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) => (seen.get(target).value = isIntersecting)),
    { rootMargin: "50% 0px" },
  );
  seen.set(element, sight);
  observer.observe(element);
  return () => observer.unobserve(element);
}

/** [ref, signal]: give the ref to the element; the signal says whether it is in sight. */
export function useSight() {
  const place = useRef(null);
  const sight = useSignal(false);
  useEffect(() => watch(place.current, sight), []);
  return [place, sight];
}

/** What a signal says: with each change while it is in sight, and otherwise every half minute. */
export function whileSeen(sight, source) {
  if (sight.value) return source.value;
  void halfMinute.value;
  return source.peek();
}
