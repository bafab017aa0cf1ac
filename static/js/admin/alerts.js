// Who is told when something goes wrong, what they are told of now, and whether it reaches them.

import { useState } from "../../vendor/hooks.js";
import { ago, dateTime } from "../format.js";
import { html } from "../html.js";
import { language, t } from "../i18n.js";
import { announcement, halfMinute } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { alerts as api } from "./api.js";
import { concerning } from "./attention.js";
import { figure } from "./figures.js";

/** Asked for anew with each new `round`. */
export function Alerts({ round }) {
  const known = useLoaded(api.list, [round]);
  return html`
    <section aria-labelledby="alerts-title">
      <h3 id="alerts-title">${t("admin.alerts")}</h3>
      <${Loaded} from=${known}>
        ${({ active, destinations }) =>
          destinations.length
            ? html`
                <ul class="alerts">
                  ${destinations.map(
                    (each) => html`<${Destination} key=${each.name} about=${each} active=${concerning(each, active)} put=${known.put} />`,
                  )}
                </ul>
              `
            : html`<p class="quiet">${t("admin.alerts.none")}</p>`}
      <//>
    </section>
  `;
}

function Destination({ about: { name, kind, about, latest, latestAt, failures }, active, put }) {
  const attempt = useAttempt();
  const [arrived, setArrived] = useState(null);
  const title = `alerts-${name}`;
  const test = () =>
    attempt.run(async () => {
      setArrived(null);
      const { delivered } = await api.test(name);
      put(await api.list());
      setArrived(delivered);
      announcement.value = t(delivered ? "admin.alerts.testGood" : "admin.alerts.testBad");
    });
  return html`
    <li class="panel" aria-labelledby=${title}>
      <div>
        <h4 id=${title}>${name}</h4>
        <p class="quiet">${t(`admin.alerts.service.${kind}`)} · ${aboutText(about)}</p>
      </div>
      <${Latest} latest=${latest} at=${latestAt} failures=${failures} />
      ${active.length
        ? html`<div><p>${t("admin.alerts.raised")}</p><ul>${active.map((each) => html`<li key=${each.kind + each.subject}>${alertText(each)}</li>`)}</ul></div>`
        : html`<p class="quiet">${t("admin.alerts.nothing")}</p>`}
      <div class="actions">
        <button aria-disabled=${attempt.resting} onClick=${test} aria-label=${t("admin.alerts.testOf", { name })}>${t(attempt.busy ? "form.busy" : "admin.alerts.test")}</button>
        ${arrived && html`<span class="good"><${Icon} name="check" /> ${t("admin.alerts.testGood")}</span>`}
        ${arrived === false && html`<span class="problem">${t("admin.alerts.testBad")}</span>`}
      </div>
      <${Problem} attempt=${attempt} />
    </li>
  `;
}

/** What came of the latest message, or test. */
function Latest({ latest, at, failures }) {
  if (!latest) return html`<p class="quiet">${t("admin.alerts.never")}</p>`;
  const when = html`<time datetime=${at} title=${dateTime(at)}>${ago(Date.parse(at), halfMinute.value)}</time>`;
  if (latest.delivered) return html`<p>${t("admin.alerts.told")} ${when}</p>`;
  return html`
    <p class="problem">
      ${t("admin.alerts.failed")} ${when}${t("text.aside", { text: reason(latest) })}
      ${failures > 1 && html`<br />${t("admin.alerts.inARow", { count: figure(failures) })}`}
    </p>
  `;
}

function reason({ status, code, error }) {
  if (status === null) return error || t("admin.alerts.noAnswer");
  return code === null ? `HTTP ${status}` : `HTTP ${status}, ${code}`;
}

const aboutText = (kinds) =>
  kinds.length ? listed(kinds.map((kind) => t(`admin.alerts.kind.${kind}`))) : t("admin.alerts.everything");

const listed = (words) => new Intl.ListFormat(language.value, { style: "narrow" }).format(words);

/** The kinds of which each cause has words of its own. */
const BY_CAUSE = ["upstream", "storage", "webhooks"];

function alertText({ kind, cause, subject, count }) {
  const which = BY_CAUSE.includes(kind) ? cause : "any";
  return t(`admin.alert.${kind}.${which}`, { subject, count: figure(count) });
}
