// The frame of every screen, and which screen it is.

import { useEffect, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { loadTexts, t } from "../i18n.js";
import { route } from "../router.js";
import { SCREENS, screenName } from "../screens.js";
import { startAgain } from "../session.js";
import { announcement, dialog, session } from "../state.js";
import { Problem, useAttempt } from "./attempt.js";
import { ConfirmDialog } from "./confirm.js";
import { Connection, Stale } from "./connection.js";
import { FreshDialog } from "./fresh.js";
import { Icon, Mark } from "./icons.js";
import { LanguageSelect, Menu } from "./menu.js";
import { Notice } from "./notice.js";
import { Door } from "./signin.js";

export function App() {
  const { status } = session.value;
  const { open } = SCREENS[screenName()];
  return html`
    <a class="skip" href="#main" onClick=${toMain}>${t("nav.skip")}</a>
    <header class="top">
      <div class="wide">
        <h1><a href="#/"><${Mark} />${t("app.name")}</a></h1>
        ${status === "in" && !open ? html`<${Ways} /><${Connection} /><${Menu} />` : html`<${LanguageSelect} />`}
      </div>
    </header>
    <main id="main" class="wide" tabindex="-1" aria-busy=${!open && status === "loading"}>
      ${open ? html`<${Opened} key=${screenName()} name=${screenName()} />` : html`<${Inside} status=${status} />`}
    </main>
    <p class="visually-hidden" role="status">${announcement}</p>
    <${Dialogs} />
  `;
}

/** What there is for whoever is signed in, or wants to be. */
function Inside({ status }) {
  return html`
    <${Notice} />
    ${status === "in" && html`<${Stale} /><${Allowed} key=${screenName()} name=${screenName()} />`}
    ${status === "out" && html`<${Door} />`}
    ${status === "unreachable" && html`<${Unreachable} />`}
    ${status === "loading" && html`<p class="quiet centre">${t("app.loading")}</p>`}
  `;
}

/** Past the navigation, for the keyboard; the address stays what it is. */
function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Ways() {
  const { user } = session.value;
  const here = screenName();
  const offered = Object.entries(SCREENS).filter(([, screen]) => screen.offered(user));
  return html`
    <nav class="ways" aria-label=${t("nav.title")}>
      ${offered.map(
        ([name, { icon, title }]) => html`
          <a href=${`#/${name}`} aria-current=${name === here ? "page" : undefined}>
            <${Icon} name=${icon} /><span>${t(title)}</span>
          </a>
        `,
      )}
    </nav>
  `;
}

/** A screen, or why there is none: a bookmark of somebody's, or an address that was sent to the wrong person. */
function Allowed({ name }) {
  const { user } = session.value;
  if (SCREENS[name].needs?.(user) ?? true) return html`<${Opened} name=${name} />`;
  return html`
    <div class="empty">
      <${Icon} name="lock" />
      <h2>${t("forbidden.title")}</h2>
      <p class="quiet">${t("forbidden.text", { email: user.email, role: t(`role.${user.role}`) })}</p>
      <a class="button" href="#/">${t("forbidden.back")}</a>
    </div>
  `;
}

/** A screen, when its script and its words are here. */
function Opened({ name }) {
  const [Screen, setScreen] = useState(null);
  const [failed, setFailed] = useState(false);
  const { area, load, title } = SCREENS[name];
  const open = async () => {
    setFailed(false);
    try {
      const [module] = await Promise.all([load(), area && loadTexts(area)]);
      setScreen(() => module.Screen);
    } catch {
      setFailed(true); // Not reached, or a newer version is there and this one's files are gone.
    }
  };
  useEffect(() => void open(), []);
  useEffect(() => void (document.title = name ? `${t(title)} · ${t("app.name")}` : t("app.name")));
  if (failed) {
    return html`
      <div class="empty" role="alert">
        <p><strong>${t("app.screenFailed")}</strong></p>
        <p class="quiet">${t("unreachable.text")}</p>
        <button onClick=${() => location.reload()}>${t("action.reload")}</button>
      </div>
    `;
  }
  if (!Screen) return html`<p class="quiet centre" role="status">${t("app.loading")}</p>`;
  const { path, search } = route.value;
  return html`<${Screen} path=${path.slice(1)} search=${search} />`;
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
