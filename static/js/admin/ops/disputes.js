// Failed videos whose credits are still held, because the upstream had taken them.

import { useState } from "../../../vendor/hooks.js";
import { confirmed } from "../../actions.js";
import { dateTime } from "../../format.js";
import { html } from "../../html.js";
import { errorText, t } from "../../i18n.js";
import { to } from "../../router.js";
import { Empty, Loaded } from "../../views/loaded.js";
import { Table } from "../../views/table.js";
import { disputes as api } from "./api.js";
import { Results, useDecisions } from "./deciding.js";
import { count } from "./numbers.js";
import { creditsOf } from "./outcomes.js";
import { useWatched } from "./watched.js";

const EVERY = { settle: api.settle, release: api.release };

export function Disputes() {
  const list = useWatched(api.list);
  const deciding = useDecisions(list.again);
  const [chosen, setChosen] = useState(new Set());
  const turn = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  return html`
    <div role="status"><${Results} results=${deciding.results} /></div>
    <${Loaded} from=${list}>
      ${({ disputes }) =>
        disputes.length === 0
          ? html`<${Empty} title=${t("ops.disputes.none")}><p class="quiet">${t("ops.disputes.noneText")}</p><//>`
          : html`
              <${Table} caption=${t("ops.disputes")} columns=${columns(chosen, turn)} rows=${disputes} id=${({ videoId }) => videoId} />
              <button onClick=${() => setChosen(new Set(chosen.size < disputes.length ? disputes.map(({ videoId }) => videoId) : []))}>
                ${chosen.size < disputes.length ? t("ops.disputes.all") : t("ops.disputes.noneOf")}
              </button>
              <${Ways} jobs=${disputes.filter(({ videoId }) => chosen.has(videoId))} deciding=${deciding} onDone=${() => setChosen(new Set())} />
            `}
    <//>
  `;
}

const columns = (chosen, turn) => [
  {
    title: t("ops.disputes.mark"),
    cell: ({ videoId, model, email }) => html`
      <input type="checkbox" checked=${chosen.has(videoId)} onChange=${() => turn(videoId)} aria-label=${t("ops.disputes.choose", { model, email })} />
    `,
  },
  { title: t("ops.owner"), cell: ({ email }) => email },
  { title: t("ops.model"), cell: ({ videoId, model }) => html`<a href=${to("video", videoId)}>${model}</a>` },
  { title: t("ops.upstream"), cell: ({ upstream, externalVideoId }) => html`${upstream} <code class="ops-cut" title=${externalVideoId}>${externalVideoId}</code>` },
  { title: t("ops.ended"), cell: ({ endedAt }) => dateTime(endedAt) },
  { title: t("ops.why"), cell: ({ errorCode, errorMessage }) => errorText({ code: errorCode, message: errorMessage }) },
  { title: t("ops.credits"), numeric: true, cell: ({ credits }) => count(credits) },
];

function Ways({ jobs, deciding, onDone }) {
  const says = { count: count(jobs.length), credits: count(creditsOf(jobs)) };
  const ask = async (what) => {
    if (jobs.length === 0 || deciding.busy) return;
    const yes = await confirmed({ title: t(`ops.ask.${what}.title`, says), text: t(`ops.ask.${what}.text`, says), action: t(`ops.dispute.${what}`) });
    if (!yes) return;
    await deciding.decide(jobs, ({ videoId }) => EVERY[what](videoId), what === "settle" ? "ops.result.settled" : "ops.result.released");
    onDone();
  };
  return html`
    <div class="ops-top">
      <p>${jobs.length ? t("ops.disputes.chosen", says) : t("ops.disputes.choosing")}</p>
      <div class="actions">
        <button aria-disabled=${jobs.length === 0 || deciding.busy} onClick=${() => ask("release")}>${t("ops.dispute.release")}</button>
        <button aria-disabled=${jobs.length === 0 || deciding.busy} onClick=${() => ask("settle")}>${t("ops.dispute.settle")}</button>
      </div>
    </div>
  `;
}
