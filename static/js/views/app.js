// The frame of every screen, and which screen it is.

import { useEffect } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { loadTexts, t } from "../i18n.js";
import { route } from "../router.js";
import { SCREENS, isOpen, screenName } from "../screens.js";
import { startAgain } from "../session.js";
import { announcement, dialog, session } from "../state.js";
import { Problem, useAttempt } from "./attempt.js";
import { ConfirmDialog } from "./confirm.js";
import { Connection, Stale } from "./connection.js";
import { Icon, Mark } from "./icons.js";
import { Later } from "./later.js";
import { LanguageSelect, Menu } from "./menu.js";
import { Notice } from "./notice.js";

export function App() {
  const { status } = session.value;
  const open = isOpen();
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
    ${status === "out" && html`<${Later} load=${door} name="Door" />`}
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
  const { area, load, title } = SCREENS[name];
  useEffect(() => void (document.title = name ? `${t(title)} · ${t("app.name")}` : t("app.name")));
  const { path, search } = route.value;
  const whole = () => Promise.all([load(), area && loadTexts(area)]).then(([module]) => module);
  return html`<${Later} load=${whole} name="Screen" path=${path.slice(1)} search=${search} />`;
}

const door = () => import("./signin.js");
const fresh = () => import("./fresh.js");

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
  if (open?.kind === "fresh") return html`<${Later} load=${fresh} name="FreshDialog" ...${open} />`;
  return null;
}
