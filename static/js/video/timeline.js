// Everything that happened to a video, in order; it grows while it is made.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { dateTime, timeOfDay } from "../format.js";
import { Loaded } from "../views/loaded.js";
import { videos } from "./api.js";
import { useReloaded } from "./following.js";

/** The steps whose message says more than their name: a reason. They are told in the server's words. */
const WITH_REASON = new Set(["waiting", "failed", "unknown"]);

const sentence = (event, task) =>
  WITH_REASON.has(event.step)
    ? event.message
    : t(`step.${event.step}`, { upstream: task.upstream, percent: Math.floor(event.progress) });

/** Of several progress events in a row the last one says it all. */
export const withoutRuns = (events) =>
  events.filter((event, at) => event.step !== "progress" || events[at + 1]?.step !== "progress");

export function Timeline({ task }) {
  const events = useReloaded(() => videos.events(task.videoId), task.videoId, task.seq);
  return html`
    <section class="panel" aria-labelledby="timeline-title">
      <h3 id="timeline-title">${t("video.timeline")}</h3>
      <${Loaded} from=${events}>
        ${(answer) => html`
          <ol class="timeline">
            ${withoutRuns(answer.events).map(
              (event) => html`
                <li key=${event.seq} data-step=${event.step}>
                  <time datetime=${event.timestamp} title=${dateTime(event.timestamp)}>${timeOfDay(event.timestamp)}</time>
                  <span>${sentence(event, task)}</span>
                </li>
              `,
            )}
          </ol>
        `}
      <//>
    </section>
  `;
}
