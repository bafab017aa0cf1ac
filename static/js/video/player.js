// Plays a finished video. Signed addresses expire, so a dead one is renewed once, and the place is kept.

import { useRef, useState } from "../../vendor/hooks.js";
import { fileAddress } from "../api.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { Icon } from "../views/icons.js";
import { renewed } from "./api.js";

/** `onTask(task)` is given the task with its new addresses; more attributes go to the video element. */
export function Player({ task, onTask = () => {}, element, ...more }) {
  // Not taken from each new state: a changed address would stop what is playing.
  const [address, setAddress] = useState(task.videoUrl);
  const [problem, setProblem] = useState(null);
  const tried = useRef(false);
  const place = useRef(0);
  const renew = async ({ target }) => {
    if (tried.current) return setProblem({ code: "unplayable" });
    tried.current = true;
    place.current = target.currentTime;
    try {
      const fresh = await renewed(task.videoId);
      onTask(fresh);
      setAddress(fresh.videoUrl);
    } catch (error) {
      setProblem(error);
    }
  };
  const goOn = ({ target }) => {
    if (place.current) target.currentTime = place.current;
    place.current = 0;
  };
  if (task.filesRemovedBecause) return html`<p class="reason">${t(`card.removed.${task.filesRemovedBecause}`)}</p>`;
  const source = address ?? task.videoUrl;
  if (!source) return html`<p class="reason">${t("card.noFile")}</p>`;
  return html`
    <video ref=${element} controls playsinline preload="metadata" src=${fileAddress(source)}
      poster=${fileAddress(task.thumbnailUrl)} aria-label=${task.prompt} onError=${renew} onLoadedMetadata=${goOn}
      onPlaying=${() => (tried.current = false)} ...${more}></video>
    ${problem && html`<p class="problem over" role="alert">${errorText(problem)}</p>`}
  `;
}

/** A file is asked for by a link that is followed by hand: its address may have expired while the page was open. */
export function Download({ task, onProblem, onTask = () => {}, primary = true }) {
  const save = async (event) => {
    event.preventDefault();
    onProblem(null);
    try {
      const fresh = await renewed(task.videoId);
      onTask(fresh);
      follow(fresh.videoUrl, `${task.videoId}.mp4`);
    } catch (error) {
      onProblem(error);
    }
  };
  if (!task.videoUrl) return null;
  return html`
    <a class=${primary ? "button primary" : "button"} href=${fileAddress(task.videoUrl)} download=${`${task.videoId}.mp4`}
      onClick=${save}>
      <${Icon} name="download" />${t("action.download")}
    </a>
  `;
}

/** Has the browser save what is at an address. */
export function follow(url, name = "") {
  const link = document.createElement("a");
  link.href = fileAddress(url);
  link.download = name;
  link.click();
}
