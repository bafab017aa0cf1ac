// The board: what shall be made, what is being made, and what has just ended.

import { useComputed } from "../../vendor/signals.js";
import { loadJobs } from "../actions.js";
import { Composer } from "../create/composer.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { halfMinute, known, listing, session, shape } from "../state.js";
import { Batch } from "./batch.js";
import { Card } from "./card.js";
import { useFollowing } from "./following.js";
import { SCOPES, shelves } from "./lists.js";
import { Notices } from "./notices.js";

export function Screen({ search }) {
  const { user } = session.value;
  const asked = search.get("show");
  const scope = SCOPES.includes(asked) ? asked : user.role === "viewer" ? "visible" : "mine";
  useFollowing(scope);
  return html`
    <${Notices} />
    ${user.role !== "viewer" && html`<${Composer} />`}
    <${Lists} key=${scope} scope=${scope} />
  `;
}

function Lists({ scope }) {
  const shown = useComputed(() => {
    void shape.value;
    return shelves(known(), { scope, now: halfMinute.value });
  }).value;
  const { going, singles, batches, ended } = shown;
  return html`
    <section class="jobs" aria-labelledby="jobs-title">
      <header class="jobs-head">
        <h2 id="jobs-title">${t("board.running")}${going > 0 && html` <span class="count">${going}</span>`}</h2>
        <${Scopes} current=${scope} />
      </header>
      ${going === 0 && html`<${Nothing} quiet=${ended.length > 0} scope=${scope} />`}
      <div class="cards">${singles.map((id) => html`<${Card} key=${id} id=${id} />`)}</div>
      ${batches.map(({ batch, ids }) => html`<${Batch} key=${batch} id=${batch} ids=${ids} />`)}
    </section>
    ${ended.length > 0 && html`<${Ended} shown=${shown} />`}
  `;
}

function Ended({ shown: { ended, hidden } }) {
  return html`
    <section class="jobs" aria-labelledby="ended-title">
      <header class="jobs-head">
        <h2 id="ended-title">${t("board.ended")}</h2>
        <a href=${to("gallery")}>${hidden ? t("board.galleryMore", { count: hidden }) : t("board.gallery")}</a>
      </header>
      <div class="cards">${ended.map((id) => html`<${Card} key=${id} id=${id} />`)}</div>
    </section>
  `;
}

/** Whose videos; addresses, so that the choice is kept. */
const Scopes = ({ current }) => html`
  <nav class="scopes" aria-label=${t("board.scope")}>
    ${SCOPES.map((scope) => {
      const name = scope === "visible" && session.value.user.role === "admin" ? "everybody" : scope;
      return html`
        <a key=${scope} href=${to({ show: scope })} aria-current=${scope === current ? "page" : undefined}>${t(`board.scope.${name}`)}</a>
      `;
    })}
  </nav>
`;

function Nothing({ quiet, scope }) {
  const { status, error } = listing.value;
  if (status === "loading") {
    return html`
      <p class="visually-hidden" role="status">${t("app.loading")}</p>
      <div class="cards" aria-hidden="true"><div class="card ghost"></div><div class="card ghost"></div></div>
    `;
  }
  if (status === "failed") {
    return html`
      <div class="empty" role="alert">
        <p><strong>${t("jobs.failed")}</strong></p>
        <p class="quiet">${errorText(error)}</p>
        <button onClick=${loadJobs}>${t("action.tryAgain")}</button>
      </div>
    `;
  }
  const making = session.value.user.role !== "viewer" && scope === "mine";
  return html`
    <div class=${quiet ? "empty small" : "empty"}>
      <p><strong>${t("jobs.none")}</strong></p>
      ${making && html`<p class="quiet">${t("jobs.noneText")}</p>`}
      ${!quiet && html`<p><a href=${to("gallery")}>${t("board.gallery")}</a></p>`}
    </div>
  `;
}
