// Two videos side by side: they play together, and one slider leads both.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { clock } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Player } from "../video/player.js";
import { Icon } from "../views/icons.js";
import { Modal } from "../views/modal.js";

const SLIP = 0.12; // Seconds that they may be apart before the second one is moved.

export function Compare({ tasks, onTask, onClose }) {
  const pair = [useRef(null), useRef(null)];
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(0);
  const both = () => pair.map((each) => each.current).filter(Boolean);

  const measure = () => setLength(Math.max(0, ...both().map((video) => video.duration || 0)));
  const seek = (moment) => {
    for (const video of both()) video.currentTime = Math.min(moment, video.duration || moment);
    setAt(moment);
  };
  const play = async () => {
    if (at >= length - 0.05) seek(0);
    setPlaying(true);
    // Muted, because two sounds at once are noise; and a browser plays what is muted without being asked.
    await Promise.allSettled(both().map((video) => ((video.muted = true), video.play())));
  };
  const pause = () => {
    for (const video of both()) video.pause();
    setPlaying(false);
  };

  useEffect(() => {
    if (!playing) return undefined;
    let frame = 0;
    const follow = () => {
      const [first, second] = both();
      const leader = first && second && second.duration > first.duration ? second : first;
      const other = leader === first ? second : first;
      if (leader) {
        setAt(leader.currentTime);
        if (other && !other.ended && Math.abs(other.currentTime - leader.currentTime) > SLIP) other.currentTime = leader.currentTime;
        if (leader.ended) return setPlaying(false);
      }
      frame = requestAnimationFrame(follow);
      return undefined;
    };
    follow();
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  return html`
    <${Modal} title=${t("gallery.compare.title")} onClose=${onClose}>
      <div class="compare">
        <div class="pair">
          ${tasks.map(
            (task, index) => html`
              <figure key=${task.videoId}>
                <div class="stage-box">
                  <${Player} task=${task} element=${pair[index]} onTask=${onTask} controls=${false} muted onDurationChange=${measure} />
                </div>
                <figcaption>
                  <a class="prompt" dir="auto" href=${to("video", task.videoId)}>${task.prompt}</a>
                  <span class="facts quiet">${[task.model, task.size.replace("x", " × "), t("composer.secondsOption", { count: task.seconds })].join(" · ")}</span>
                </figcaption>
              </figure>
            `,
          )}
        </div>
        <div class="transport">
          <button class="primary" autofocus onClick=${playing ? pause : play}>
            <${Icon} name=${playing ? "pause" : "play"} />${playing ? t("gallery.compare.pause") : t("gallery.compare.play")}
          </button>
          <input type="range" autocomplete="off" min="0" max=${length || 1} step="0.05" value=${at}
            aria-label=${t("gallery.compare.place")} aria-valuetext=${`${clock(at)} / ${clock(length)}`}
            onInput=${({ target }) => (pause(), seek(Number(target.value)))} />
          <span class="quiet numbers">${clock(at)} / ${clock(length)}</span>
        </div>
      </div>
    <//>
  `;
}
