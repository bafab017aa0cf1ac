// What doctor found out about an upstream, line by line.

import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { Icon } from "../../views/icons.js";

const ICONS = { good: "check", hint: "spark", bad: "warning" };

/** `onProfile(name)` takes over a profile that would fit better; without it none is offered. */
export function DoctorLines({ found, onProfile = null }) {
  return html`
    <div role="status"><ul class="ops-doctor" aria-label=${t("ops.doctor")}>
      ${found.lines.map(({ well, message, profile }) => {
        const tone = well === null ? "hint" : well ? "good" : "bad";
        return html`
          <li data-tone=${tone} key=${message}>
            <${Icon} name=${ICONS[tone]} />
            <div>
              <strong>${t(`ops.doctor.${tone}`)}</strong> <span lang="en">${message}</span>
              ${profile &&
              onProfile &&
              html` <button type="button" class="link" onClick=${() => onProfile(profile)}>${t("ops.doctor.use", { profile })}</button>`}
            </div>
          </li>
        `;
      })}
    </ul></div>
  `;
}
