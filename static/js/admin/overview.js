// What needs attention, and the size of everything.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Icon } from "../views/icons.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { sizeText } from "../views/size.js";
import { Alerts } from "./alerts.js";
import { credits, stats, storage, upstreams } from "./api.js";
import { attention } from "./attention.js";
import { figure } from "./figures.js";

async function load() {
  const [all, disk, ups, books] = await Promise.all([stats(), storage(), upstreams(), credits.check()]);
  return { stats: all, storage: disk, upstreams: ups.upstreams, books };
}

export function Tab() {
  const known = useLoaded(load);
  return html`
    <${Loaded} from=${known}>
      ${(found) => html`
        <${Attention} matters=${attention(found)} />
        <${Sizes} ...${found} />
        <${Alerts} round=${found} />
        <p><button aria-disabled=${known.busy} onClick=${known.again}><${Icon} name="retry" />${t("admin.overview.again")}</button></p>
      `}
    <//>
  `;
}

function Attention({ matters }) {
  if (matters.length === 0) {
    return html`<p class="notice good"><${Icon} name="check" /> ${t("admin.overview.nothing")}</p>`;
  }
  return html`
    <section aria-labelledby="attention-title">
      <h3 id="attention-title">${t("admin.overview.attention")}</h3>
      <ul class="matters">
        ${matters.map(
          ({ kind, grave, address, ...values }) => html`
            <li key=${kind + (values.name ?? "")} class=${grave ? "grave" : ""}>
              <a href=${to("admin", ...address)}>
                <${Icon} name="warning" />
                <span>
                  <strong>${t(`admin.matter.${kind}`, said(values))}</strong>
                  <span class="quiet">${t(`admin.matter.${kind}.text`, said(values))}</span>
                </span>
              </a>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

const said = ({ count, free, ...values }) => ({
  ...values,
  ...(count !== undefined && { count: figure(count) }),
  ...(free !== undefined && { free: sizeText(free) }),
});

function Sizes({ stats: { jobs, people, credits: all, upstreams: ups }, storage: { disk } }) {
  const running = ["submitting", "processing", "storing", "cancelling"].reduce((sum, state) => sum + (jobs[state] ?? 0), 0);
  const sizes = [
    [t("admin.overview.people"), figure(people.everybody), ["people"]],
    [t("admin.overview.running"), figure(running), ["statistics"]],
    [t("admin.overview.queued"), figure(jobs.queued ?? 0), ["upstreams"]],
    [t("admin.overview.completed"), figure(jobs.completed ?? 0), ["statistics"]],
    [t("admin.overview.failed"), figure(jobs.failed ?? 0), ["statistics"]],
    [t("admin.overview.upstreams"), `${figure(ups.filter(({ open }) => open).length)} / ${figure(ups.length)}`, ["upstreams"]],
    [t("admin.overview.credits"), figure(all.available), ["credits"]],
    [t("admin.overview.held"), figure(all.held), ["credits"]],
    [t("admin.overview.disk"), sizeText(disk.free), ["storage"]],
  ];
  return html`
    <section aria-labelledby="sizes-title">
      <h3 id="sizes-title">${t("admin.overview.sizes")}</h3>
      <ul class="sizes">
        ${sizes.map(
          ([name, value, address]) => html`
            <li key=${name}><a href=${to("admin", ...address)}><strong>${value}</strong><span class="quiet">${name}</span></a></li>
          `,
        )}
      </ul>
    </section>
  `;
}
