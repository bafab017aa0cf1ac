// A modal dialog: the browser's own, so that focus, Escape and the backdrop are right.

import { useId, useLayoutEffect, useRef } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icons.js";

export function Modal({ title, onClose, children }) {
  const element = useRef(null);
  const named = useId(); // A second one may open above it.
  useLayoutEffect(() => element.current.showModal(), []);
  const onBackdrop = (event) => event.target === element.current && element.current.close();
  return html`
    <dialog ref=${element} onClose=${onClose} onClick=${onBackdrop} aria-labelledby=${named}>
      <div class="inside">
        <header>
          <h2 id=${named}>${title}</h2>
          <button class="round" onClick=${() => element.current.close()} aria-label=${t("action.close")}>
            <${Icon} name="close" />
          </button>
        </header>
        ${children}
      </div>
    </dialog>
  `;
}
