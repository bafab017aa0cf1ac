// What unfolds below the prompt: an image, templates, several videos, who sees them and how they are found.

import { request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { useLoaded } from "../views/loaded.js";
import { ImagePart } from "./image.js";
import { Here } from "./here.js";
import { Segments } from "./segments.js";
import { TemplatePart } from "./templates.js";
import { MOST_VARIANTS, tagsOf } from "./wish.js";

const OFFERED_TAGS = 8;

export const More = (shared) => html`
  <div class="more" inert=${shared.busy}>
    <${ImagePart} ...${shared} />
    <${TemplatePart} ...${shared} />
    <${Several} ...${shared} />
    <${Labels} ...${shared} />
  </div>
`;

function Several({ draft, change, count, limits, attempt }) {
  const most = limits.batch ? Math.min(MOST_VARIANTS, limits.batch) : MOST_VARIANTS;
  const variants = (event) => {
    const number = Math.round(Number(event.target.value));
    change({ variants: Math.min(most, Math.max(1, number || 1)) });
  };
  return html`
    <section aria-labelledby="create-several">
      <h3 id="create-several">${t("create.several")}</h3>
      <label class="tick">
        <input type="checkbox" checked=${Boolean(draft.list)} onChange=${(event) => change({ list: event.target.checked, template: null })} />
        <span>${t("create.list")}</span>
      </label>
      <label class="field inline">
        <span>${t("create.variants")}</span>
        <input name="variants" type="number" inputmode="numeric" min="1" max=${most} autocomplete="off" value=${draft.variants ?? 1}
          onChange=${variants} />
      </label>
      <p class="quiet sentences">
        <span>${count > 1 ? t("create.count", { count }) : t("create.one")}</span>
        ${limits.batch > 0 && html`<span>${t("create.most", { most: limits.batch })}</span>`}
      </p>
      ${count > 1 && html`<p class="quiet">${t("create.behind")}</p>`}
      <${Here} attempt=${attempt} at="several" />
    </section>
  `;
}

function Labels({ draft, change, attempt }) {
  const known = useLoaded(() => request("GET", "api/video/tags"));
  const chosen = tagsOf(draft.tags);
  const toggle = (tag) =>
    change({ tags: (chosen.includes(tag) ? chosen.filter((each) => each !== tag) : [...chosen, tag]).join(", ") });
  const offered = (known.value?.tags ?? []).slice(0, OFFERED_TAGS);
  return html`
    <section aria-labelledby="create-labels">
      <h3 id="create-labels">${t("create.labels")}</h3>
      <${Segments} label=${t("create.visibility")} name="visibility" value=${draft.visibility ?? "private"}
        options=${["private", "team"].map((value) => ({ value, title: t(`create.visibility.${value}`) }))}
        onChange=${(visibility) => change({ visibility })} />
      <label class="field">
        <span>${t("create.tags")}</span>
        <input name="tags" type="text" autocomplete="off" dir="auto" value=${draft.tags ?? ""} placeholder=${t("create.tagsPlaceholder")}
          onInput=${(event) => change({ tags: event.target.value })} />
      </label>
      ${offered.length > 0 &&
      html`
        <p class="chips" role="group" aria-label=${t("create.tagsUsed")}>
          ${offered.map(
            ({ tag }) => html`
              <button key=${tag} type="button" aria-pressed=${chosen.includes(tag)} onClick=${() => toggle(tag)}>${tag}</button>
            `,
          )}
        </p>
      `}
      <${Here} attempt=${attempt} at="tags" />
    </section>
  `;
}
