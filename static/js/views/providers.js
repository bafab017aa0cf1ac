// The identity providers that somebody can sign in with.

import { goToProvider } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, useAttempt } from "./attempt.js";

/** `ways` are { name, label }; `wish` is what the round trip is for; see api.js. `words` makes a button's text. */
export function Providers({ ways, wish, words = (label) => t("provider.continue", { label }) }) {
  const attempt = useAttempt();
  const go = (name) => attempt.run(() => goToProvider(name, wish));
  if (ways.length === 0) return null;
  return html`
    <div class="providers">
      ${ways.map(
        ({ name, label }) => html`
          <button key=${name} type="button" aria-disabled=${attempt.resting} onClick=${() => go(name)}>
            ${words(label)}
          </button>
        `,
      )}
      <${Problem} attempt=${attempt} />
    </div>
  `;
}

export const Or = () => html`<p class="or quiet"><span>${t("provider.or")}</span></p>`;
