// Everything that happened to a job, fetched when somebody asks.

import { useEffect, useState } from "../../vendor/hooks.js";
import { tasks } from "../api.js";
import { timeOfDay } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";

export function History({ task }) {
  const [open, setOpen] = useState(false);
  return html`
    <details class="history" onToggle=${(event) => setOpen(event.target.open)}>
      <summary>${t("history.title")}</summary>
      ${open && html`<${Events} task=${task} />`}
    </details>
  `;
}

/** The steps whose message says more than their name: a reason. They are told in the server's words. */
const WITH_REASON = new Set(["waiting", "failed", "unknown"]);

const sentence = (event, task) =>
  WITH_REASON.has(event.step)
    ? event.message
    : t(`step.${event.step}`, { upstream: task.upstream, percent: Math.floor(event.progress) });

function Events({ task }) {
  const [events, setEvents] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let current = true;
    tasks.events(task.videoId).then(
      (answer) => current && setEvents(answer.events),
      (error) => current && setProblem(error),
    );
    return () => (current = false);
  }, [task.videoId, task.stage]);
  if (problem) return html`<p class="problem" role="alert">${errorText(problem)}</p>`;
  if (events === null) return html`<p class="quiet">${t("app.loading")}</p>`;
  return html`
    <p class="whole" dir="auto">${task.prompt}</p>
    <ol>
      ${withoutRuns(events).map(
        (event) => html`
          <li key=${event.seq}>
            <time datetime=${event.timestamp}>${timeOfDay(event.timestamp)}</time><span>${sentence(event, task)}</span>
          </li>
        `,
      )}
    </ol>
  `;
}

/** Of several progress events in a row the last one says it all. */
const withoutRuns = (events) =>
  events.filter((event, at) => event.step !== "progress" || events[at + 1]?.step !== "progress");
