// A poster that shows more of its video under the pointer, under the keyboard's focus, and under a finger that rests on
// it: frames of the film strip, or the video itself when the strip cannot be read.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { fileAddress } from "../api.js";
import { html } from "../html.js";
import { frameAt, gridOf, placeOf } from "./sheet.js";

const STEP_MS = 450;
const REST_MS = 350;

const strips = new Map(); // By video: what is known of its strip, so that it is measured once.

/** Resolves with { address, grid }, or null when there is no strip that can be read. */
function stripOf(task) {
  const known = strips.get(task.videoId);
  if (known) return known;
  const asked = new Promise((resolve) => {
    if (!task.spritesheetUrl) return resolve(null);
    const image = new Image();
    image.onload = () => {
      const grid = gridOf({ width: image.naturalWidth, height: image.naturalHeight }, task.size);
      resolve(grid && { address: image.src, grid });
    };
    image.onerror = () => {
      strips.delete(task.videoId); // Its address may have expired: the next one is tried anew.
      resolve(null);
    };
    image.src = fileAddress(task.spritesheetUrl);
  });
  strips.set(task.videoId, asked);
  return asked;
}

/** `bind` are the handlers of the element around it, `layer` what lies over the poster. `held` tells whether a finger
 *  rested on it, which is no press. */
export function usePreview(task) {
  const [how, setHow] = useState(null); // "pointer" | "alone"
  const [strip, setStrip] = useState(undefined);
  const [frame, setFrame] = useState(0);
  const rest = useRef(0);
  const held = useRef(false);
  const wanted = how !== null && task.status === "completed";

  useEffect(() => {
    if (!wanted) return undefined;
    let current = true;
    stripOf(task).then((found) => current && setStrip(found));
    return () => (current = false);
  }, [wanted, task.spritesheetUrl]);

  useEffect(() => {
    if (how !== "alone" || !strip || matchMedia("(prefers-reduced-motion: reduce)").matches) return undefined;
    const count = strip.grid.columns * strip.grid.rows;
    const timer = setInterval(() => setFrame((was) => (was + 1) % count), STEP_MS);
    return () => clearInterval(timer);
  }, [how, strip]);

  const part = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const follow = (event) => strip && setFrame(frameAt(part(event), strip.grid));
  const stop = () => {
    clearTimeout(rest.current);
    setHow(null);
    setFrame(0);
  };
  const bind = {
    onPointerEnter: (event) => event.pointerType === "mouse" && (setHow("pointer"), follow(event)),
    onPointerMove: (event) => (how === "pointer" || held.current) && follow(event),
    onPointerLeave: stop,
    onPointerDown(event) {
      held.current = false;
      if (event.pointerType === "mouse") return;
      rest.current = setTimeout(() => ((held.current = true), setHow("alone")), REST_MS);
    },
    onPointerUp: (event) => event.pointerType !== "mouse" && stop(),
    onPointerCancel: stop,
    onContextMenu: (event) => held.current && event.preventDefault(),
    onFocusIn: ({ target }) => target.matches(":focus-visible") && setHow("alone"),
    onFocusOut: stop,
  };
  return { bind, held, layer: wanted && html`<${Layer} task=${task} strip=${strip} frame=${frame} />` };
}

function Layer({ task, strip, frame }) {
  if (strip === undefined) return null; // On its way: the poster stays.
  if (!strip) {
    return html`<video class="moving" src=${fileAddress(task.videoUrl)} muted autoplay loop playsinline aria-hidden="true"
      tabindex="-1"></video>`;
  }
  const [width, height] = task.size.split("x").map(Number);
  const look = { "--sheet": `url("${strip.address}")`, "--ratio": width / height, ...placeOf(frame, strip.grid) };
  const count = strip.grid.columns * strip.grid.rows;
  return html`
    <span class="strip" style=${look} aria-hidden="true"></span>
    <span class="where" style=${{ "--part": (frame + 1) / count }} aria-hidden="true"></span>
  `;
}
