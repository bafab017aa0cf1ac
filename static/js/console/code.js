// Code in three languages, one at a time, to be copied.

import { useState } from "../../vendor/hooks.js";
import { copy } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../views/icons.js";
import { LANGUAGES } from "./snippets.js";

const SHOWN_MS = 1_600;
const NAMES = { curl: "curl", python: "Python", javascript: "JavaScript" };

/** `code(language)` gives the text. */
export function Code({ code }) {
  const [language, setLanguage] = useState(LANGUAGES[0]);
  const [done, setDone] = useState(false);
  const text = code(language);
  const press = async () => {
    if (!(await copy(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  return html`
    <section class="code" aria-label=${t("console.code")}>
      <div class="bar-of-buttons">
        ${LANGUAGES.map(
          (name) => html`<button aria-pressed=${name === language} onClick=${() => setLanguage(name)}>${NAMES[name]}</button>`,
        )}
        <button class="push" onClick=${press}>
          <${Icon} name=${done ? "check" : "copy"} />${done ? t("action.copied") : t("console.copy")}
        </button>
      </div>
      <pre tabindex="0"><code>${text}</code></pre>
      <p class="quiet">${t("console.keyHint")}</p>
    </section>
  `;
}

/** The page's own address, as programs need it. */
export const here = () => document.baseURI.replace(/[#?].*$/, "").replace(/[^/]*$/, "");
