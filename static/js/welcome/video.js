// The second step: one press, and the first video is made, is seen being made, and plays.

import { useEffect } from "../../vendor/hooks.js";
import { tasks } from "../api.js";
import { Card } from "../board/card.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, to } from "../router.js";
import { isEnded, job, models, order, putTasks, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { useArrival } from "../views/fields.js";
import { Icon } from "../views/icons.js";
import { makeVideo } from "./api.js";

export function Video({ id, first, next }) {
  const place = useArrival();
  const task = useJob(id);
  // The page was loaded anew before its id stood in the address, or the step was left and is come back to.
  useEffect(() => void (!id && first && go(to("welcome", "video", { id: first }), { replace: true })), [id, first]);
  const ended = task && isEnded(task);
  return html`
    <section class="step" ref=${place} aria-labelledby="step-title">
      <h3 id="step-title" tabindex="-1">${t("welcome.video.title")}</h3>
      <p>${t(task?.status === "completed" ? "welcome.video.done" : session.value.simulator ? "welcome.video.text" : "welcome.video.real")}</p>
      ${task && html`<${Card} key=${id} id=${id} playing />`}
      <footer class="actions">
        ${(!task || (ended && task.status !== "completed")) && html`<${Make} />`}
        <button class=${task?.status === "completed" ? "primary" : "link"} onClick=${next}>
          ${t(task ? "welcome.next" : "welcome.skip")}
        </button>
      </footer>
    </section>
  `;
}

/** The job of the address as it is now; fetched when the page has just been loaded and does not know it. */
function useJob(id) {
  const known = order.value && id ? job(id) : undefined;
  useEffect(() => {
    if (id && !known) tasks.get(id).then((task) => putTasks([task]), () => go(to("welcome", "video"), { replace: true }));
  }, [id]);
  return known?.value;
}

function Make() {
  const attempt = useAttempt();
  const model = models.value?.[0];
  const press = () =>
    attempt.run(async () => {
      const size = model.sizes.find(isWide) ?? model.sizes[0] ?? "1280x720";
      const task = await makeVideo({
        prompt: t("welcome.video.prompt"), model: model.id, size, seconds: Math.min(...model.seconds, 8),
      });
      putTasks([task]);
      go(to("welcome", "video", { id: task.videoId }), { replace: true });
    });
  return html`
    <button class="primary" aria-disabled=${attempt.resting || !model} onClick=${() => model && press()}>
      <${Icon} name="spark" />${attempt.busy ? t("form.busy") : t("welcome.video.make")}
    </button>
    <${Problem} attempt=${attempt} />
  `;
}

const isWide = (size) => {
  const [width, height] = size.split("x").map(Number);
  return width > height;
};
