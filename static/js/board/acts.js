// What can be done with a job.

import { useState } from "../../vendor/hooks.js";
import { cancel, confirmed, remove, retry } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { isEnded, session } from "../state.js";
import { Icon } from "../views/icons.js";
import { Download } from "./player.js";

/** What this person may do with the task: { change, make }. */
export const rights = (user, task) => ({
  change: user.role === "admin" || (user.role === "member" && task.mine),
  make: user.role !== "viewer",
});

export function Acts({ task }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const { user } = session.value;
  if (!user) return null;
  const may = rights(user, task);
  const ended = isEnded(task);
  const run = (work, asked) => async () => {
    if (asked && !(await confirmed(asked))) return;
    setBusy(true);
    setProblem(null);
    await work(task.videoId).catch(setProblem);
    setBusy(false);
  };
  const button = (name, icon, press, disabled = false) => html`
    <button disabled=${busy || disabled} onClick=${press}><${Icon} name=${icon} />${t(`action.${name}`)}</button>
  `;
  const stopping = task.cancelRequested || task.stage === "cancelling";
  const once = task.status === "completed" ? "again" : "retry";
  return html`
    <div class="actions">
      ${task.status === "completed" && html`<${Download} task=${task} onProblem=${setProblem} />`}
      ${may.change && !ended && button("cancel", "close", run(cancel, cancelQuestion(task)), stopping)}
      ${may.make && ended && button(once, "retry", run(retry, once === "again" ? question("again") : null))}
      ${may.make &&
      html`
        <a class="button" href=${to({ from: task.videoId })} title=${t("card.cloneHint")}>
          <${Icon} name="copy" />${t("action.clone")}
        </a>
      `}
      ${may.change && ended && button("delete", "trash", run(remove, question("delete")))}
    </div>
    ${problem && html`<${Refused} problem=${problem} />`}
  `;
}

const OF_CREDITS = new Set(["insufficient_credits", "plan_limit", "plan_forbids", "daily_credits_used"]);

/** Why it was not done; where it is for want of credits, where to get some. */
export const Refused = ({ problem }) => html`
  <p class="problem" role="alert">
    ${errorText(problem)}${" "}
    ${OF_CREDITS.has(problem.code) && html`<a href=${to("account", "credits")}>${t("card.credits")}</a>`}
  </p>
`;

const question = (name) => ({
  title: t(`ask.${name}.title`),
  text: t(`ask.${name}.text`),
  action: t(`ask.${name}.yes`),
});

/** Before it is sent, cancelling costs nothing and needs no question. */
const cancelQuestion = (task) => (task.stage === "queued" ? null : question("cancel"));
