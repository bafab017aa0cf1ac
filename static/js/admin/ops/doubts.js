// Videos of which nobody knows whether the upstream took them.

import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { Empty, Loaded } from "../../views/loaded.js";
import { doubts as api } from "./api.js";
import { Results, useDecisions } from "./deciding.js";
import { DoubtCard } from "./doubt.js";
import { count } from "./numbers.js";
import { useWatched } from "./watched.js";

export function Doubts() {
  const list = useWatched(api.list);
  const deciding = useDecisions(list.again);
  return html`
    <div role="status"><${Results} results=${deciding.results} /></div>
    <${Loaded} from=${list}>
      ${({ jobs }) =>
        jobs.length === 0
          ? html`<${Empty} title=${t("ops.doubts.none")}><p class="quiet">${t("ops.doubts.noneText")}</p><//>`
          : html`
              ${jobs.length > 1 &&
              html`
                <p>
                  <button aria-disabled=${deciding.busy} onClick=${() => deciding.decide(jobs, ({ videoId }) => api.look(videoId))}>
                    ${deciding.busy ? t("form.busy") : t("ops.doubts.lookAll", { count: count(jobs.length) })}
                  </button>
                  <span class="quiet"> ${t("ops.doubts.free")}</span>
                </p>
              `}
              <ul class="ops-list">
                ${jobs.map((job) => html`<${DoubtCard} key=${job.videoId} job=${job} deciding=${deciding} />`)}
              </ul>
            `}
    <//>
  `;
}
