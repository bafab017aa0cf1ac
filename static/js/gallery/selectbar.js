// What can be done with the videos that are chosen.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { isEnded } from "../state.js";
import { mayChange } from "../video/actions.js";
import { MOST_IN_ARCHIVE, archiveAddress } from "../video/api.js";
import { follow } from "../video/player.js";
import { Icon } from "../views/icons.js";

export function SelectBar({ tasks, onAll, onNone, onLeave, onCompare, onRemove }) {
  const done = tasks.filter((task) => task.status === "completed");
  const removable = tasks.filter((task) => isEnded(task) && mayChange(task));
  const tooMany = done.length > MOST_IN_ARCHIVE;
  return html`
    <div class="selectbar" role="toolbar" aria-label=${t("gallery.selection")}>
      <strong role="status">${t("gallery.chosen", { count: tasks.length })}</strong>
      <button onClick=${onAll}>${t("gallery.all")}</button>
      <button onClick=${onNone} disabled=${tasks.length === 0}>${t("gallery.none")}</button>
      <span class="gap"></span>
      <button disabled=${done.length !== 2 || tasks.length !== 2} onClick=${() => onCompare(done)} title=${t("gallery.compare.hint")}>
        <${Icon} name="compare" />${t("gallery.compare.action")}
      </button>
      <button disabled=${done.length === 0 || tooMany} title=${tooMany ? t("gallery.archiveLimit", { count: MOST_IN_ARCHIVE }) : undefined}
        onClick=${() => follow(archiveAddress(done.map((task) => task.videoId)))}>
        <${Icon} name="download" />${t("gallery.archive")}
      </button>
      <button disabled=${removable.length === 0} onClick=${() => onRemove(removable.map((task) => task.videoId))}>
        <${Icon} name="trash" />${t("action.delete")}
      </button>
      <button class="round" onClick=${onLeave} aria-label=${t("gallery.selectEnd")} title=${t("gallery.selectEnd")}>
        <${Icon} name="close" />
      </button>
    </div>
  `;
}
