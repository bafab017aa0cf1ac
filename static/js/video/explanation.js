// Why there is no video: the upstream's own words, what they mean, and what can be done.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { meaningOf } from "./explain.js";

export function Explanation({ error }) {
  const meaning = meaningOf(error.code);
  return html`
    <section class="panel why" aria-labelledby="why-title">
      <h3 id="why-title">${t("video.why")}</h3>
      <p class="plain">${t(`video.why.${meaning}`)}</p>
      <p><strong>${t("video.todo")}</strong> ${t(`video.todo.${meaning}`)}</p>
      <figure class="words">
        <blockquote dir="auto">${error.message}</blockquote>
        <figcaption class="quiet">${t("video.words")} <code>${error.code}</code></figcaption>
      </figure>
    </section>
  `;
}
