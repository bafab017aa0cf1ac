// The first steps of whoever has just installed the gateway. Where one is stands in the address, so a reload stays there.

import { useEffect, useState } from "../../vendor/hooks.js";
import { endFirstSteps } from "../first.js";
import { html } from "../html.js";
import { loadTexts, t } from "../i18n.js";
import { go, to } from "../router.js";
import { job, listing, order, session } from "../state.js";
import { Account } from "./account.js";
import { STEPS, firstOwn, stepOf } from "./steps.js";
import { Upstream } from "./upstream.js";
import { Video } from "./video.js";

const PARTS = { account: Account, video: Video, upstream: Upstream };

export function Screen({ path, search }) {
  const [ready, setReady] = useState(false);
  // What doctor says and what an upstream needs has its words where administrators look after upstreams.
  useEffect(() => void loadTexts("ops").then(() => setReady(true), () => setReady(true)), []);
  const { hasPassword, simulator } = session.value;
  const known = listing.value.status !== "loading";
  if (!ready || !known) return html`<p class="quiet centre" role="status">${t("app.loading")}</p>`;
  const first = firstOwn(order.value.map((id) => job(id).peek()));
  const step = stepOf(path[0], { hasPassword, simulator, video: first });
  const Part = PARTS[step];
  return html`
    <div class="welcome">
      <header>
        <h2>${t("welcome.title")}</h2>
        <p class="quiet">${t("welcome.text")}</p>
        <${Way} current=${step} />
      </header>
      <${Part} key=${step} id=${search.get("id")} first=${first} next=${() => onward(step)} />
    </div>
  `;
}

function onward(step) {
  const next = STEPS[STEPS.indexOf(step) + 1];
  if (next) return go(to("welcome", next));
  endFirstSteps();
  return go("#/");
}

const Way = ({ current }) => html`
  <ol class="steps">
    ${STEPS.map(
      (step, at) => html`
        <li key=${step} data-past=${at < STEPS.indexOf(current)}>
          <a href=${to("welcome", step)} aria-current=${step === current ? "step" : undefined}>
            <span class="number">${at + 1}</span>${t(`welcome.step.${step}`)}
          </a>
        </li>
      `,
    )}
  </ol>
`;
