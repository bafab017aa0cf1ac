// All videos, as pictures: found by what the address says, played, compared, shared, deleted.

import { useEffect, useLayoutEffect, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { errorText, loadTexts, t } from "../i18n.js";
import { go, route, to } from "../router.js";
import { connection, session } from "../state.js";
import { Icon } from "../views/icons.js";
import { Compare } from "./compare.js";
import { FilterBar } from "./filterbar.js";
import { isNarrowed, readFilters, writeFilters } from "./filters.js";
import { Grid } from "./grid.js";
import { openList } from "./list.js";
import { SelectBar } from "./selectbar.js";
import { useRemoval } from "./undobar.js";
import { Viewer } from "./viewer.js";

await loadTexts("video"); // What is done with one video is the same on its own page.

const TOP = 240;
const atTop = () => scrollY < TOP;

let kept = null; // The list that was shown last, with its place: coming back finds both.

/** The list of what the address asks for. */
function useList(filters) {
  const name = `${session.value.user.id} ${JSON.stringify(writeFilters(filters))}`;
  if (kept?.name !== name) {
    kept?.list.close();
    kept = { name, list: openList(filters, { atTop }), place: 0 };
  }
  useLayoutEffect(() => {
    const mine = kept;
    scrollTo(0, mine.place);
    const note = () => (mine.place = scrollY);
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, [name]);
  const word = connection.value;
  const lost = useRef(false);
  useEffect(() => {
    if (word !== "live" && word !== "polling") lost.current = true;
    else if (lost.current || kept.list.status.peek().loading === false) kept.list.refresh();
    if (word === "live") lost.current = false;
  }, [word, name]);
  return kept.list;
}

export function Screen({ search }) {
  const filters = readFilters(search);
  const list = useList(filters);
  const [chosen, setChosen] = useState(null); // null: not choosing.
  const [compared, setCompared] = useState(null);
  const removal = useRemoval(list);
  const opened = useRef(false);
  const playing = search.get("play");
  const pairs = writeFilters(filters);
  useEffect(() => setChosen((was) => was && new Set()), [list]);

  const play = (id) => {
    opened.current = true;
    go(to("gallery", [...pairs, ["play", id]]));
  };
  const stop = () => {
    const { path, search: here } = route.peek();
    if (path[0] !== "gallery" || !here.has("play")) return; // Somebody has gone elsewhere meanwhile.
    if (opened.current) history.back();
    else go(to("gallery", pairs), { replace: true });
    opened.current = false;
  };
  const remove = (ids) => {
    removal.remove(ids);
    setChosen((was) => was && new Set());
  };
  const tasks = chosen ? [...chosen].map((id) => list.video(id)?.value).filter(Boolean) : [];
  return html`
    <section class="gallery" aria-labelledby="gallery-title">
      <header class="head">
        <h2 id="gallery-title">${t("gallery.title")}</h2>
        ${chosen === null && html`<button onClick=${() => setChosen(new Set())}><${Icon} name="select" />${t("gallery.select")}</button>`}
      </header>
      <${FilterBar} filters=${filters} onChange=${(next, how) => go(to("gallery", writeFilters(next)), how)} />
      ${chosen &&
      html`<${SelectBar} tasks=${tasks} onAll=${() => setChosen(new Set(list.ids.value))} onNone=${() => setChosen(new Set())}
        onLeave=${() => setChosen(null)} onRemove=${remove} onCompare=${setCompared} />`}
      <${Waiting} list=${list} />
      <${Grid} list=${list} chosen=${chosen} onChosen=${setChosen} onPlay=${play} />
      <${End} list=${list} filters=${filters} />
      ${removal.bar}
      ${playing &&
      html`<${Viewer} list=${list} id=${playing} onClose=${stop}
        onMove=${(id) => go(to("gallery", [...pairs, ["play", id]]), { replace: true })}
        onRemove=${(id) => (stop(), remove([id]))} />`}
      ${compared && html`<${Compare} tasks=${compared} onTask=${list.put} onClose=${() => setCompared(null)} />`}
    </section>
  `;
}

/** New videos that wait until the reader wants to see them: nothing moves while somebody looks at older ones. */
function Waiting({ list }) {
  const count = list.waiting.value.length;
  if (count === 0) return html`<p class="visually-hidden" role="status"></p>`;
  const show = () => {
    list.takeWaiting();
    scrollTo({ top: 0 });
  };
  return html`
    <p class="waiting" role="status">
      <button class="primary" onClick=${show}>${t(count === 1 ? "gallery.newOne" : "gallery.newMany", { count })}</button>
    </p>
  `;
}

/** What comes after the last picture: more, nothing, or why not. More comes by itself when it is nearly seen. */
function End({ list, filters }) {
  const { loading, error } = list.status.value;
  const empty = list.ids.value.length === 0;
  const more = list.more.value;
  const mark = useRef(null);
  useEffect(() => {
    if (!more || loading || error) return undefined;
    const seen = new IntersectionObserver(([entry]) => entry.isIntersecting && list.loadMore(), { rootMargin: "600px" });
    seen.observe(mark.current);
    return () => seen.disconnect();
  }, [list, more, loading, error]);
  if (error) {
    return html`
      <div class=${empty ? "empty" : "older"} role="alert">
        ${empty && html`<p><strong>${t("gallery.failed")}</strong></p>`}
        <p class="quiet">${errorText(error)}</p>
        <button onClick=${list.again}>${t("action.tryAgain")}</button>
      </div>
    `;
  }
  if (loading && empty) {
    return html`
      <p class="visually-hidden" role="status">${t("app.loading")}</p>
      <div class="tiles" aria-hidden="true">${[0, 1, 2, 3, 4, 5, 6, 7].map(() => html`<div class="tile ghost"></div>`)}</div>
    `;
  }
  if (empty) return html`<${Nothing} filters=${filters} />`;
  return html`
    <div class="older" ref=${mark}>
      ${more && html`<button onClick=${list.loadMore} disabled=${loading}>${loading ? t("app.loading") : t("app.more")}</button>`}
    </div>
  `;
}

function Nothing({ filters }) {
  const narrowed = isNarrowed(filters);
  const viewer = session.value.user?.role === "viewer";
  return html`
    <div class="empty">
      <p><strong>${narrowed ? t("gallery.noneFound") : t("gallery.noVideos")}</strong></p>
      <p class="quiet">
        ${narrowed ? t("gallery.noneFoundText") : filters.scope === "team" || viewer ? t("gallery.noTeam") : t("gallery.noVideosText")}
      </p>
      ${narrowed && html`<a class="button" href=${to("gallery")}>${t("gallery.clear")}</a>`}
      ${!narrowed && !viewer && html`<a class="button primary" href="#/">${t("gallery.make")}</a>`}
    </div>
  `;
}
