// What was ordered together: how far all of it is, one button for all that goes on, and its cards.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { isEnded, job, second, session, shape } from "../state.js";
import { Icon } from "../views/icons.js";
import { Refused, rights } from "./acts.js";
import { batchOf, cancelAll } from "./api.js";
import { Card } from "./card.js";
import { howFar } from "./lists.js";
import { Bar } from "./progress.js";
import { useSight, whileSeen } from "./visible.js";

const SETTLE_MS = 1_000;
/** A batch of more is folded up until somebody opens it. */
const UNFOLDED = 8;
const SHOWN = ["completed", "processing", "queued", "failed", "cancelled"];

const members = (ids) => ids.map((id) => job(id)?.peek()).filter(Boolean);

export function Batch({ id, ids }) {
  const [place, sight] = useSight();
  const [choice, setChoice] = useState(null);
  const open = choice ?? ids.length <= UNFOLDED;
  return html`
    <section class="batch" ref=${place} aria-labelledby=${`batch-${id}`}>
      <${Head} id=${id} ids=${ids} sight=${sight} open=${open} toggle=${() => setChoice(!open)} />
      ${open && html`<div class="cards">${ids.map((each) => html`<${Card} key=${each} id=${each} />`)}</div>`}
    </section>
  `;
}

/** Redrawn once a second, however often its videos tell of themselves. */
function Head({ id, ids, sight, open, toggle }) {
  whileSeen(sight, second);
  const told = useTold(id);
  const { part, counts, videos } = howFar(members(ids), told);
  const said = SHOWN.filter((status) => counts[status]).map((status) => t(`batch.${status}`, { count: counts[status] }));
  const percent = Math.floor(part * 100);
  return html`
    <header>
      <h3 id=${`batch-${id}`}>${t("batch.title", { count: videos })}</h3>
      <p class="quiet">${said.join(" · ")}</p>
      <div class="actions">
        <button aria-expanded=${open} onClick=${toggle}>${t(open ? "batch.hide" : "batch.show")}</button>
        <${CancelAll} ids=${ids} />
      </div>
      <${Bar} kind="reported" part=${part} text=${t("card.percent", { percent })} label=${t("batch.progress")} />
    </header>
  `;
}

/** What the API says of the whole batch, asked again some time after any job has ended. */
function useTold(id) {
  const [told, setTold] = useState(null);
  const timer = useRef(0);
  const now = shape.value;
  useEffect(() => {
    timer.current ||= setTimeout(() => {
      timer.current = 0;
      batchOf(id).then(setTold, () => {}); // Without it the videos that are here are counted.
    }, SETTLE_MS);
  }, [id, now]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return told;
}

function CancelAll({ ids }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const { user } = session.value;
  const left = members(ids).filter((task) => !isEnded(task) && !task.cancelRequested && user && rights(user, task).change);
  if (left.length === 0 && !problem) return null;
  const press = async () => {
    const asked = { title: t("ask.cancelAll.title", { count: left.length }), text: t("ask.cancel.text"), action: t("ask.cancelAll.yes") };
    if (!(await confirmed(asked))) return;
    setBusy(true);
    setProblem(null);
    try {
      const refused = await cancelAll(left.map((task) => task.videoId));
      if (refused) setProblem({ message: t("batch.refused", { count: refused }) });
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return html`
    <button disabled=${busy || left.length === 0} onClick=${press}><${Icon} name="close" />${t("batch.cancel")}</button>
    ${problem && html`<${Refused} problem=${problem} />`}
  `;
}
