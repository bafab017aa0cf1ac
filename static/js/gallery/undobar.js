// Deleting with time to take it back: a bar that runs out. What is not taken back is deleted then, or when the page is left.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { announcement } from "../state.js";
import { videos } from "../video/api.js";
import { Icon } from "../views/icons.js";
import { undoQueue } from "./undo.js";

/** Gives { remove(ids), bar }. `list` takes them out of sight at once, and back when they could not be deleted. */
export function useRemoval(list) {
  const [pending, setPending] = useState(null);
  const [problem, setProblem] = useState(null);
  const current = useRef(list);
  current.current = list;
  const queue = useRef(null);
  queue.current ??= undoQueue({ changed: setPending, commit: (ids, leaving) => commit(ids, leaving) });

  async function commit(ids, leaving) {
    const shown = current.current;
    try {
      const { results } = await videos.removeAll(ids, leaving);
      if (leaving) return;
      // What is gone already is as deleted as can be.
      const failed = results.filter(({ done, error }) => !done && error.code !== "not_found");
      results.filter((each) => !failed.includes(each)).forEach(({ id }) => shown.drop(id));
      shown.unhide(failed.map(({ id }) => id));
      if (failed.length) setProblem(failed[0].error);
    } catch (error) {
      shown.unhide(ids);
      setProblem(error);
    }
  }

  useEffect(() => {
    const leave = () => queue.current.flush({ leaving: true });
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      queue.current.flush();
    };
  }, []);

  const remove = (ids) => {
    setProblem(null);
    queue.current.put(ids);
    list.hide(ids);
    announcement.value = t(ids.length === 1 ? "gallery.deletedOne" : "gallery.deletedMany", { count: ids.length });
  };
  const undo = () => {
    list.unhide(queue.current.undo());
    announcement.value = t("gallery.undone");
  };
  return { remove, bar: html`<${Bar} pending=${pending} problem=${problem} onUndo=${undo} onClose=${() => setProblem(null)} />` };
}

function Bar({ pending, problem, onUndo, onClose }) {
  if (problem) {
    return html`
      <div class="undo bad" role="alert">
        <p>${t("gallery.deleteFailed")} ${errorText(problem)}</p>
        <button class="round" onClick=${onClose} aria-label=${t("action.close")}><${Icon} name="close" /></button>
      </div>
    `;
  }
  if (!pending) return null;
  const count = pending.ids.length;
  const left = { "--left": `${Math.max(0, pending.until - Date.now())}ms` };
  return html`
    <div class="undo" key=${pending.until} style=${left}>
      <p>${t(count === 1 ? "gallery.deletedOne" : "gallery.deletedMany", { count })}</p>
      <button onClick=${onUndo}>${t("gallery.undo")}</button>
      <span class="time" aria-hidden="true"></span>
    </div>
  `;
}
