// What can be done with one video; the same on its own page and in the gallery.

import { useState } from "../../vendor/hooks.js";
import { cancel, confirmed } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { go, to } from "../router.js";
import { isEnded, session } from "../state.js";
import { Icon } from "../views/icons.js";
import { videos } from "./api.js";
import { Download } from "./player.js";
import { ShareDialog } from "./sharing.js";

/** Whether the reader may change it: its owner, and administrators. */
export const mayChange = (task) =>
  session.value.user?.role === "admin" || (task.mine && session.value.user?.role === "member");
export const mayMake = () => session.value.user?.role !== "viewer";

const question = (name) => ({ title: t(`ask.${name}.title`), text: t(`ask.${name}.text`), action: t(`ask.${name}.yes`) });

/** `onTask(task)` is given what it becomes; `onRemove()` deletes it, in the way of the screen. */
export function Actions({ task, onTask, onRemove }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [sharing, setSharing] = useState(false);
  const ended = isEnded(task);
  const done = task.status === "completed";
  const owner = mayChange(task);
  const stopping = task.cancelRequested || task.stage === "cancelling";
  const run = (work, ask) => async () => {
    if (ask && !(await confirmed(ask))) return;
    setBusy(true);
    setProblem(null);
    await work().catch(setProblem);
    setBusy(false);
  };
  const again = async () => {
    const made = await videos.retry(task.videoId);
    go(to("video", made.videoId));
  };
  const stop = async () => {
    await cancel(task.videoId);
    onTask(await videos.get(task.videoId));
  };
  const show = async () => onTask(await videos.setVisibility(task.videoId, task.visibility === "team" ? "private" : "team"));
  const button = (key, icon, press, more = {}) => html`
    <button disabled=${busy} onClick=${press} ...${more}><${Icon} name=${icon} />${t(key)}</button>
  `;
  return html`
    <div class="actions">
      ${done && html`<${Download} task=${task} onProblem=${setProblem} onTask=${onTask} />`}
      ${owner && !ended && button("action.cancel", "close", run(stop, task.stage === "queued" ? null : question("cancel")), { disabled: busy || stopping })}
      ${owner && done && button("video.share.action", "link", () => setSharing(true))}
      ${mayMake() && html`<a class="button" href=${to({ from: task.videoId })}><${Icon} name="spark" />${t("video.remix")}</a>`}
      ${mayMake() && ended && button(done ? "action.again" : "action.retry", "retry", run(again, done ? question("again") : null))}
      ${owner && button(task.visibility === "team" ? "video.makePrivate" : "video.showTeam", task.visibility === "team" ? "hidden" : "eye", run(show))}
      ${owner && ended && button("action.delete", "trash", run(async () => onRemove()))}
    </div>
    ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
    ${sharing && html`<${ShareDialog} task=${task} onClose=${() => setSharing(false)} />`}
  `;
}
