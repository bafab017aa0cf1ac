// My account: who I am, my credits, how I and my programs sign in, what is told to other programs.

import { useEffect } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { loadMethods } from "../session.js";
import { methods } from "../state.js";
import { Tabs } from "../views/tabs.js";
import { Credits } from "./credits.js";
import { Keys } from "./keys.js";
import { Profile } from "./profile.js";
import { Sessions } from "./sessions.js";
import { SignIn } from "./signin.js";
import { Webhooks } from "./webhooks.js";

const TABS = { profile: Profile, credits: Credits, signin: SignIn, sessions: Sessions, keys: Keys, webhooks: Webhooks };

export function Screen({ path }) {
  const current = Object.hasOwn(TABS, path[0] ?? "") ? path[0] : "profile";
  useEffect(() => void (methods.value ?? loadMethods()), []);
  const tabs = Object.keys(TABS).map((name) => ({ name, title: t(`account.tab.${name}`) }));
  return html`
    <div class="account">
      <h2 tabindex="-1">${t("account.title")}</h2>
      <${Tabs} label=${t("account.tabs")} screen="account" tabs=${tabs} current=${current} />
      <${TABS[current]} key=${current} path=${path.slice(1)} />
    </div>
  `;
}
