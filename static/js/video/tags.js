// The tags of a video: each leads to the gallery, and whoever may takes some away and adds others.

import { useRef } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";
import { videos } from "./api.js";

/** `onTask(task)` is given the task as it is with other tags. */
export function Tags({ task, mayChange, onTask }) {
  const attempt = useAttempt();
  const field = useRef(null);
  const set = (tags) =>
    attempt.run(async () => {
      onTask(await videos.setTags(task.videoId, tags));
      return true;
    });
  const add = async (event) => {
    event.preventDefault();
    const tag = field.current.value.trim();
    if (tag && (await set([...task.tags, tag]))) field.current.value = "";
  };
  return html`
    <div class="tags">
      ${task.tags.map(
        (tag) => html`
          <span class="tag" key=${tag}>
            <a href=${to("gallery", [["tag", tag]])}>${tag}</a>
            ${mayChange &&
            html`
              <button onClick=${() => set(task.tags.filter((other) => other !== tag))}
                aria-label=${t("video.tags.remove", { tag })}><${Icon} name="close" /></button>
            `}
          </span>
        `,
      )}
      ${!mayChange && task.tags.length === 0 && html`<span class="quiet">${t("video.tags.none")}</span>`}
      ${mayChange &&
      html`
        <form onSubmit=${add}>
          <input ref=${field} type="text" maxlength="50" autocomplete="off" enterkeyhint="done"
            placeholder=${t("video.tags.placeholder")} aria-label=${t("video.tags.placeholder")} />
          <button aria-disabled=${attempt.resting}>${t("video.tags.add")}</button>
        </form>
      `}
    </div>
    ${attempt.error && html`<p class="problem" role="alert">${attempt.error.message || errorText(attempt.error)}</p>`}
  `;
}
