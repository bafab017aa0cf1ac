// The frame of every screen, and which screen it is.

import { useEffect } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { startAgain } from "../session.js";
import { announcement, dialog, noWayBack, session, view } from "../state.js";
import { Account } from "./account.js";
import { Problem, useAttempt } from "./attempt.js";
import { Composer } from "./composer.js";
import { ConfirmDialog } from "./confirm.js";
import { Connection } from "./connection.js";
import { FreshDialog } from "./fresh.js";
import { Mark } from "./icons.js";
import { JobList } from "./jobs.js";
import { LanguageSelect, Menu } from "./menu.js";
import { Notice } from "./notice.js";
import { Door } from "./signin.js";

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
      <${Notice} />
      ${status === "in" && (view.value === "account" ? html`<${Account} />` : html`<${Home} />`)}
      ${status === "out" && html`<${Door} />`}
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
    ${noWayBack.value &&
    html`<p class="notice">${t("password.hint")} <a href="#/account">${t("password.hintLink")}</a></p>`}
    ${user.role !== "viewer" && html`<${Composer} />`}
    <${JobList} />
  `;
}

/** The gateway cannot answer now, or wants no more of us for a moment; a link in the address is kept for later. */
function Unreachable() {
  const { error } = session.value;
  const attempt = useAttempt();
  useEffect(() => attempt.fail(error), [error]);
  const answers = error.status > 0;
  return html`
    <section class="page">
      <h2>${answers ? t("unreachable.busy") : t("unreachable.title")}</h2>
      ${answers ? html`<${Problem} attempt=${attempt} />` : html`<p>${t("unreachable.text")}</p>`}
      <button class="primary" aria-disabled=${attempt.resting} onClick=${() => attempt.run(startAgain)}>
        ${t("action.tryAgain")}
      </button>
    </section>
  `;
}

function Dialogs() {
  const open = dialog.value;
  if (open?.kind === "confirm") return html`<${ConfirmDialog} ...${open} />`;
  if (open?.kind === "fresh") return html`<${FreshDialog} ...${open} />`;
  return null;
}
