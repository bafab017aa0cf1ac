// The pictures in their grid, and the keyboard on them: arrows go from one to the next, space chooses.

import { useRef } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, to } from "../router.js";
import { moved, toggled } from "./selection.js";
import { Tile } from "./tile.js";

export function Grid({ list, chosen, onChosen, onPlay }) {
  const ids = list.ids.value;
  const grid = useRef(null);
  const anchor = useRef(null);

  const press = (id) => (event) => {
    if (chosen) {
      onChosen(toggled(chosen, id, { ids, anchor: anchor.current, range: event.shiftKey }));
      anchor.current = id;
    } else if (list.video(id)?.peek().status === "completed") onPlay(id);
    else go(to("video", id));
  };

  const columns = () => getComputedStyle(grid.current).gridTemplateColumns.split(" ").length;
  const onKey = (event) => {
    const id = event.target.closest("[data-id]")?.dataset.id;
    if (!id || !event.target.matches(".look") || event.altKey || event.metaKey) return;
    const next = moved(ids, id, event.key, columns());
    if (next && !event.ctrlKey) grid.current.querySelector(`[data-id="${CSS.escape(next)}"] .look`).focus();
    else if (event.key === "a" && event.ctrlKey && chosen) onChosen(new Set(ids));
    else if (event.key === "Escape" && chosen) onChosen(null);
    else if (event.key === "x" && !event.ctrlKey) onChosen(toggled(chosen ?? new Set(), id));
    else return;
    event.preventDefault();
  };
  if (ids.length === 0) return null;
  return html`
    <p class="visually-hidden" id="gallery-keys">${t("gallery.keys")}</p>
    <ul class="tiles" ref=${grid} onKeyDown=${onKey} aria-label=${t("gallery.title")} aria-describedby="gallery-keys">
      ${ids.map((id) => html`<${Tile} key=${id} list=${list} id=${id} chosen=${chosen ? chosen.has(id) : null} onPress=${press(id)} />`)}
    </ul>
  `;
}
