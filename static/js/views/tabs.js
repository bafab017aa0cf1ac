// The parts of a screen, each with an address of its own.

import { useEffect, useRef } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { to } from "../router.js";

/** `tabs` is a list of { name, title }, `current` a name; the address of each is #/screen/name. */
export function Tabs({ label, screen, tabs, current }) {
  const place = useRef(null);
  // On a phone the last ones are out of sight; the page itself stays where it is.
  useEffect(() => {
    const here = place.current.querySelector("[aria-current]");
    if (here) place.current.scrollLeft = here.offsetLeft - place.current.offsetLeft - (place.current.clientWidth - here.offsetWidth) / 2;
  }, [current]);
  return html`
    <nav class="tabs" aria-label=${label} ref=${place}>
      ${tabs.map(
        ({ name, title }) => html`
          <a href=${to(screen, name)} aria-current=${name === current ? "page" : undefined}>${title}</a>
        `,
      )}
    </nav>
  `;
}
