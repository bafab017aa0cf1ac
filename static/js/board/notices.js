// What is out of order, said once above the board, with what can be done about it.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { noWayBack, outages, session, shape, turns } from "../state.js";
import { waitingFor } from "./following.js";
import { outageText } from "./words.js";

export function Notices() {
  const { simulator, user } = session.value;
  const admin = user.role === "admin";
  return html`
    ${simulator &&
    html`
      <p class="notice">
        <strong>${t("simulator.title")}</strong> ${t("simulator.text")}${" "}
        ${admin && html`<a href=${to("welcome")}>${t("simulator.link")}</a>`}
      </p>
    `}
    ${noWayBack.value &&
    html`<p class="notice">${t("password.hint")} <a href=${to(admin ? "welcome" : "account")}>${t("password.hintLink")}</a></p>`}
    ${user.role === "viewer" && html`<p class="notice">${t("board.viewer")}</p>`}
    ${outages.value?.storageFull && html`<${Full} admin=${admin} />`}
    <${Paused} admin=${admin} />
  `;
}

const Full = ({ admin }) => html`
  <div class="notice bad" role="alert">
    <p><strong>${t("storage.title")}</strong> ${t("storage.text")}</p>
    <p>${admin ? t("storage.admin") : t("storage.ask")}</p>
  </div>
`;

/** Upstreams that take nothing: for those whose videos wait there, and for administrators. */
function Paused({ admin }) {
  void (shape.value, turns.value); // Somebody else may wait now.
  const waiting = waitingFor();
  const told = (outages.value?.upstreams ?? []).filter(({ upstream }) => admin || waiting[upstream]);
  if (told.length === 0) return null;
  return html`
    <div class="notice warn" role="status">
      ${told.map(
        (outage) => html`
          <p key=${outage.upstream}>
            <strong>${outageText(outage)}</strong>${" "}
            ${waiting[outage.upstream] > 0 && t("outage.waiting", { count: waiting[outage.upstream] })}
          </p>
        `,
      )}
      ${admin && html`<p><a href=${to("admin", "upstreams")}>${t("outage.link")}</a></p>`}
    </div>
  `;
}
