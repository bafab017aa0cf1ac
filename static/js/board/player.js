// The finished video: play it, take it home. Signed addresses expire, so a dead one is renewed once.

import { useRef, useState } from "../../vendor/hooks.js";
import { freshAddress } from "../actions.js";
import { fileAddress } from "../api.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { Icon } from "../views/icons.js";

/** `playing`: it plays by itself, without sound. */
export function Player({ task, playing = false }) {
  // Not taken from each new state: a changed address would stop what is playing.
  const [address, setAddress] = useState(task.videoUrl);
  const [problem, setProblem] = useState(null);
  const renewed = useRef(false);
  const renew = async () => {
    if (renewed.current) return setProblem({ code: "unplayable" });
    renewed.current = true;
    try {
      setAddress(await freshAddress(task.videoId));
    } catch (error) {
      setProblem(error);
    }
  };
  if (task.filesRemovedBecause) return html`<p class="reason">${t(`card.removed.${task.filesRemovedBecause}`)}</p>`;
  const source = address ?? task.videoUrl;
  if (!source) return html`<p class="reason">${t("card.noFile")}</p>`;
  return html`
    <video controls preload=${playing ? "auto" : "none"} autoplay=${playing} muted=${playing} loop=${playing} playsinline src=${fileAddress(source)} poster=${fileAddress(task.thumbnailUrl)}
      aria-label=${task.prompt} onError=${renew} onPlaying=${() => (renewed.current = false)}></video>
    ${problem && html`<p class="problem over" role="alert">${errorText(problem)}</p>`}
  `;
}

export function Download({ task, onProblem }) {
  const save = async (event) => {
    event.preventDefault();
    onProblem(null);
    try {
      const link = document.createElement("a");
      link.href = fileAddress(await freshAddress(task.videoId));
      link.download = `${task.videoId}.mp4`;
      link.click();
    } catch (error) {
      onProblem(error);
    }
  };
  if (!task.videoUrl) return null;
  return html`
    <a class="button primary" href=${fileAddress(task.videoUrl)} download=${`${task.videoId}.mp4`} onClick=${save}>
      <${Icon} name="download" />${t("action.download")}
    </a>
  `;
}
