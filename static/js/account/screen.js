// My account: who I am, how I sign in, where I am signed in, what programs may do for me.

import { useEffect } from "../../vendor/hooks.js";
import { loadMethods, signOut } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { methods, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { useArrival } from "../views/fields.js";
import { Identities } from "./identities.js";
import { Keys } from "./keys.js";
import { Password } from "./password.js";
import { Sessions } from "./sessions.js";

export function Screen() {
  const { user } = session.value;
  const heading = useArrival();
  const leaving = useAttempt();
  useEffect(() => void (methods.value ?? loadMethods()), []);
  return html`
    <div class="account">
      <div class="whoami" ref=${heading}>
        <div>
          <h2 tabindex="-1">${t("account.title")}</h2>
          <p><strong>${user.email}</strong> · <span class="quiet">${t(`role.${user.role}`)}</span></p>
        </div>
        <button onClick=${() => leaving.run(signOut)}>${t("menu.signOut")}</button>
      </div>
      <${Problem} attempt=${leaving} />
      <${Password} />
      <${Identities} />
      <${Sessions} />
      <${Keys} />
    </div>
  `;
}
