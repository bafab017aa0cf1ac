// The video that the composer was filled from, and what shall be made of it.

import { useEffect, useRef } from "../../vendor/hooks.js";
import { fileAddress, tasks } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Icon } from "../views/icons.js";
import { useLoaded } from "../views/loaded.js";
import { operationsOn } from "./choices.js";
import { Choice } from "./line.js";
import { fileAt } from "./sending.js";
import { Segments } from "./segments.js";

const EXTENSIONS = [4, 8, 12];

/** What the composer is filled with from the video `id`: { draft, image }. `how` is "create" or an operation; `before`
 *  is the draft that it takes the place of. Raises ApiError. */
export async function fillFrom(id, how, before) {
  const task = await tasks.get(id).catch((error) => {
    throw error.status === 404 ? { code: "source", message: t("create.sourceGone") } : error;
  });
  const blob = task.referenceUrl && (await fileAt(task.referenceUrl));
  const { videoId, prompt, model, size, seconds } = task;
  const { source, ...kept } = before;
  const replaced = before.prompt?.trim() ? kept : null;
  const draft = {
    prompt, model, size, seconds, list: false, variants: 1, template: null,
    tags: task.mine ? task.tags.join(", ") : "",
    visibility: task.mine ? task.visibility : "private",
    more: Boolean(blob) || Boolean(before.more),
    source: { id: videoId, how, by: EXTENSIONS[0], prompt, model, size, seconds, before: replaced },
  }; // prettier-ignore
  return { draft, image: blob ? { blob, name: t("create.sourceImage") } : null };
}

export function Source({ draft, change, setImage, offered, attempt, arrived }) {
  const { source } = draft;
  const place = useRef(null);
  useEffect(() => {
    if (arrived.current) place.current.closest("form").scrollIntoView({ block: "start" });
    arrived.current = false;
  }, [source.id]);
  const found = useLoaded(() => tasks.get(source.id), [source.id]);
  const task = found.value;
  const ways = ["create", ...(task ? operationsOn(task, offered) : [source.how].filter((how) => how !== "create"))];
  const set = (part) => change({ source: { ...source, ...part } });
  const possible = !task || !offered || ways.includes(source.how);
  useEffect(() => {
    if (!possible) set({ how: "create" });
  }, [possible]);
  const leave = () => change({ source: null });
  const bringBack = () => {
    setImage(null);
    change({ ...source.before, source: null });
  };
  return html`
    <section class="source" ref=${place} aria-label=${t("create.source")}>
      ${task?.thumbnailUrl
        ? html`<img src=${fileAddress(task.thumbnailUrl)} alt="" />`
        : html`<span class="none"><${Icon} name="film" /></span>`}
      <div>
        <p class="origin">${t("create.origin")}${" "}<a href=${to("video", source.id)} dir="auto">${source.prompt}</a></p>
        ${found.error && html`<p class="problem">${t("create.sourceGone")}</p>`}
        ${ways.length > 1 &&
        html`
          <${Segments} label=${t("create.how")} name="how" value=${source.how} disabled=${attempt.busy}
            options=${ways.map((way) => ({ value: way, title: t(`create.how.${way}`) }))}
            onChange=${(how) => (set({ how }), attempt.fail(null))} />
          <p class="quiet">${t(`create.howHint.${source.how}`)}</p>
        `}
        ${source.how === "extend" &&
        html`
          <${Choice} label=${t("create.by")} value=${source.by} options=${EXTENSIONS}
            text=${(count) => t("composer.secondsOption", { count })} onChange=${(by) => set({ by: Number(by) })} />
        `}
        ${source.before && html`<button type="button" class="link" onClick=${bringBack}>${t("create.bringBack")}</button>`}
      </div>
      <button type="button" class="round" onClick=${leave} aria-label=${t("create.leaveSource")} title=${t("create.leaveSource")}>
        <${Icon} name="close" />
      </button>
    </section>
  `;
}
