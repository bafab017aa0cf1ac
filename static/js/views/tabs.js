// The parts of a screen, each with an address of its own.

import { html } from "../html.js";
import { to } from "../router.js";

/** `tabs` is a list of { name, title }, `current` a name; the address of each is #/screen/name. */
export function Tabs({ label, screen, tabs, current }) {
  return html`
    <nav class="tabs" aria-label=${label}>
      ${tabs.map(
        ({ name, title }) => html`
          <a href=${to(screen, name)} aria-current=${name === current ? "page" : undefined}>${title}</a>
        `,
      )}
    </nav>
  `;
}
