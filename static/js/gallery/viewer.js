// A video over the gallery: it plays, and the ones before and after it are one key away.

import { useEffect } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { Actions, mayChange } from "../video/actions.js";
import { videos } from "../video/api.js";
import { Player } from "../video/player.js";
import { Tags } from "../video/tags.js";
import { Icon } from "../views/icons.js";
import { useLoaded } from "../views/loaded.js";
import { Modal } from "../views/modal.js";

/** `onMove(id)` goes to another one, `onClose()` back, `onRemove(id)` deletes it. */
export function Viewer({ list, id, onMove, onClose, onRemove }) {
  const ids = list.ids.value;
  const known = list.video(id);
  const fetched = useLoaded(() => (known ? Promise.resolve(null) : videos.get(id)), [id]);
  const task = known?.value ?? fetched.value;
  const at = ids.indexOf(id);
  const [before, after] = [at > 0 ? ids[at - 1] : undefined, at >= 0 ? ids[at + 1] : undefined];
  useEffect(() => {
    if (at >= 0 && !after && list.more.value) list.loadMore();
  }, [id, ids.length]);
  const onKey = (event) => {
    if (event.target.closest("input, select, textarea, video")) return; // They have keys of their own.
    const way = { ArrowLeft: before, ArrowRight: after }[event.key];
    if (way && !event.altKey && !event.ctrlKey && !event.metaKey) onMove(way);
  };
  return html`
    <${Modal} title=${t("gallery.player")} onClose=${onClose}>
      <div class="viewer" onKeyDown=${onKey}>
        ${!task && fetched.error && html`<p class="problem" role="alert">${errorText(fetched.error)}</p>`}
        ${!task && !fetched.error && html`<p class="quiet" role="status">${t("app.loading")}</p>`}
        ${task && html`<${Stage} key=${id} task=${task} />`}
        <div class="steps">
          <button aria-disabled=${!before} onClick=${() => before && onMove(before)}><${Icon} name="back" />${t("gallery.previous")}</button>
          ${at >= 0 && html`<span class="quiet">${t("gallery.place", { at: at + 1, all: list.more.value ? `${ids.length}+` : ids.length })}</span>`}
          <button aria-disabled=${!after} onClick=${() => after && onMove(after)}>${t("gallery.next")}<${Icon} name="forward" /></button>
        </div>
        ${task &&
        html`
          <p class="whole" dir="auto">${task.prompt}</p>
          <${Tags} task=${task} mayChange=${mayChange(task)} onTask=${list.put} />
          <${Actions} key=${id} task=${task} onTask=${list.put} onRemove=${() => onRemove(id)} />
          <p><a href=${to("video", id)}>${t("gallery.everything")}</a></p>
        `}
      </div>
    <//>
  `;
}

function Stage({ task }) {
  return html`
    <div class="stage-box">
      ${task.status === "completed"
        ? html`<${Player} task=${task} autoplay />`
        : html`<p class="state">${t(`stage.${task.stage}`, { upstream: task.upstream })}</p>`}
    </div>
  `;
}
