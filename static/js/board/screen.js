// The board: what shall be made, and what is being made.

import { useState } from "../../vendor/hooks.js";
import { loadJobs, loadOlder } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { listing, noWayBack, older, order, session } from "../state.js";
import { Composer } from "../create/composer.js";
import { Card } from "./card.js";

export function Screen() {
  const { simulator, user } = session.value;
  return html`
    ${simulator && html`<p class="notice"><strong>${t("simulator.title")}</strong> ${t("simulator.text")}</p>`}
    ${noWayBack.value &&
    html`<p class="notice">${t("password.hint")} <a href="#/account">${t("password.hintLink")}</a></p>`}
    ${user.role !== "viewer" && html`<${Composer} />`}
    <${JobList} />
  `;
}

function JobList() {
  const { status, error } = listing.value;
  const ids = order.value;
  return html`
    <section class="jobs" aria-labelledby="jobs-title">
      <h2 id="jobs-title">${t("jobs.title")}</h2>
      ${ids.length === 0 && html`<${Nothing} status=${status} error=${error} />`}
      <div class="cards">${ids.map((id) => html`<${Card} key=${id} id=${id} />`)}</div>
      ${older.value && html`<${Older} />`}
    </section>
  `;
}

function Nothing({ status, error }) {
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
  return html`
    <div class="empty">
      <p><strong>${t("jobs.none")}</strong></p>
      ${session.value.user?.role !== "viewer" && html`<p class="quiet">${t("jobs.noneText")}</p>`}
    </div>
  `;
}

function Older() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const load = async () => {
    setBusy(true);
    setProblem(null);
    await loadOlder().catch(setProblem);
    setBusy(false);
  };
  return html`
    <div class="older">
      <button onClick=${load} disabled=${busy}>${busy ? t("app.loading") : t("jobs.older")}</button>
      ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
    </div>
  `;
}
