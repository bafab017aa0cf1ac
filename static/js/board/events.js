// Everything that happened to a job, fetched when somebody asks, and live from then on.

import { useEffect, useState } from "../../vendor/hooks.js";
import { tasks } from "../api.js";
import { timeOfDay } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { connection, listen } from "../state.js";
import { withEvent, withoutRuns } from "./steps.js";
import { noteText } from "./words.js";

/** The steps whose message says more than their name: a reason. They are told in the server's words. */
const WITH_REASON = new Set(["waiting", "failed", "unknown"]);

const sentence = (event, task) =>
  WITH_REASON.has(event.step)
    ? noteText(event.message)
    : t(`step.${event.step}`, { upstream: task.upstream, percent: Math.floor(event.progress) });

export function Events({ task }) {
  const [events, setEvents] = useState(null);
  const [problem, setProblem] = useState(null);
  const id = task.videoId;
  const back = connection.value === "live";
  useEffect(() => {
    let current = true;
    const waiting = []; // What is told before the answer is here.
    const end = listen(id, (event) => {
      waiting.push(event);
      setEvents((list) => list && withEvent(list, event));
    });
    tasks.events(id).then(
      (answer) => {
        if (!current) return;
        setEvents(waiting.reduce(withEvent, answer.events));
        setProblem(null);
      },
      (error) => current && setProblem(error),
    );
    return () => {
      current = false;
      end();
    };
  }, [id, back]); // What happened while the connection was away is fetched when it is back.
  if (events === null && problem) return html`<p class="problem" role="alert">${errorText(problem)}</p>`;
  if (events === null) return html`<p class="quiet" role="status">${t("app.loading")}</p>`;
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
