// The frame of every screen, and which screen it is.

import { startAgain } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { announcement, dialog, session } from "../state.js";
import { Composer } from "./composer.js";
import { ConfirmDialog } from "./confirm.js";
import { Connection } from "./connection.js";
import { Mark } from "./icons.js";
import { JobList } from "./jobs.js";
import { KeysDialog } from "./keys.js";
import { LanguageSelect, Menu } from "./menu.js";
import { SignIn } from "./signin.js";

export function App() {
  const { status } = session.value;
  return html`
    <header class="top">
      <div class="wide">
        <h1><${Mark} />${t("app.name")}</h1>
        ${status === "in" ? html`<${Connection} /><${Menu} />` : html`<${LanguageSelect} />`}
      </div>
    </header>
    <main class="wide" aria-busy=${status === "loading"}>
      ${status === "in" && html`<${Home} />`}
      ${status === "out" && html`<${SignIn} />`}
      ${status === "unreachable" && html`<${Unreachable} />`}
      ${status === "loading" && html`<p class="quiet centre">${t("app.loading")}</p>`}
    </main>
    <p class="visually-hidden" role="status">${announcement}</p>
    <${Dialogs} />
  `;
}

function Home() {
  const { simulator, user } = session.value;
  return html`
    ${simulator && html`<p class="notice"><strong>${t("simulator.title")}</strong> ${t("simulator.text")}</p>`}
    ${user.role !== "viewer" && html`<${Composer} />`}
    <${JobList} />
  `;
}

function Unreachable() {
  return html`
    <section class="page">
      <h2>${t("unreachable.title")}</h2>
      <p>${t("unreachable.text")}</p>
      ${session.value.error.status > 0 && html`<p class="quiet">${errorText(session.value.error)}</p>`}
      <button class="primary" onClick=${startAgain}>${t("action.tryAgain")}</button>
    </section>
  `;
}

function Dialogs() {
  const open = dialog.value;
  if (open?.kind === "confirm") return html`<${ConfirmDialog} ...${open} />`;
  if (open?.kind === "keys") return html`<${KeysDialog} />`;
  return null;
}
