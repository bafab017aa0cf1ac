// What is around the prompt: one line of choices, the price, the button. What unfolds is loaded then.

import { useEffect, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { loadTexts, t } from "../i18n.js";
import { announcement, models, order, putTasks } from "../state.js";
import { Icon } from "../views/icons.js";
import { make } from "./api.js";
import { choicesFor } from "./choices.js";
import { fill } from "./gaps.js";
import { Here } from "./here.js";
import { Choices, Fixed, ModelsState } from "./line.js";
import { Price, stops, useQuote } from "./price.js";
import { countOf, derives, faultOf, questionOf, tagsOf, wishOf } from "./wish.js";

async function loadParts() {
  const [parts] = await Promise.all([import("./parts.js"), loadTexts("create")]);
  return parts;
}

/** See source.js. */
export const fillFrom = async (...from) => (await loadParts()).fillFrom(...from);

/** The parts once `wanted`, null before. */
function useParts(wanted, attempt) {
  const [parts, setParts] = useState(null);
  useEffect(() => {
    if (wanted && !parts) loadParts().then(setParts, attempt.fail);
  }, [wanted]);
  return parts;
}

/** The video that it is made from. */
export function Above(shared) {
  const { source } = shared.draft;
  const parts = useParts(Boolean(source), shared.attempt);
  return source && parts && html`<${parts.Source} ...${shared} offered=${models.value} />`;
}

export function Below(shared) {
  const { draft, change, image, setImage, attempt, field } = shared;
  const [sent, setSent] = useState(null); // The part of a large image that is sent.
  const offered = models.value;
  const limits = offered?.limits ?? {};
  const derived = derives(draft);
  const unfolded = Boolean(draft.more) && !derived;
  const parts = useParts(unfolded, attempt);
  const choice = choicesFor(draft, offered);
  const count = countOf(draft);
  const fault = faultOf(draft, limits) ?? (derived ? null : image?.fault);
  const asked = offered && fault?.param !== "variants" ? questionOf(draft, choice) : null;
  const price = useQuote(asked, [order.value.length]);
  const ready = (derived || choice !== null) && !fault && !stops(price) && !attempt.resting;

  shared.send.current = async () => {
    shared.wanted.current = offered === null;
    if (fault?.param === "prompt") field.current.focus();
    if (!ready) return;
    const made = await attempt.run(async () => {
      const way = image && !derived ? await (await loadParts()).carried(image, setSent) : {};
      return make(wishOf(draft, choice, way.reference), way.exchange && { exchange: way.exchange });
    });
    setSent(null);
    if (!made) return;
    putTasks(made);
    announcement.value = t("composer.sent", { count: made.length });
    setImage(null);
    change(after(draft));
  };
  useEffect(() => {
    if (ready && shared.wanted.current) shared.send.current();
  }, [ready]);
  const more = { ...shared, choice, count, limits, offered, busy: attempt.busy };
  return html`
    <${Here} attempt=${attempt} at="prompt" />
    ${unfolded && (parts ? html`<${parts.More} ...${more} />` : html`<p class="quiet" role="status">${t("app.loading")}</p>`)}
    <div class="choices">
      ${derived ? html`<${Fixed} ...${draft.source} />` : choice && html`<${Choices} choice=${choice} models=${offered} change=${change} busy=${attempt.busy} />`}
      <${ModelsState} />
      ${!derived && html`<${Unfold} draft=${draft} image=${image} onPress=${() => change({ more: !draft.more })} />`}
      <div class="send">
        <${Price} price=${price} count=${count} fault=${fault} />
        <button class="primary" aria-disabled=${!ready} aria-describedby="price" title=${t("composer.shortcut")}>
          <${Icon} name="spark" />${label(attempt.busy, count)}
        </button>
      </div>
    </div>
    <${Here} attempt=${attempt} at="choices" />
    ${sent !== null && html`<progress class="sent" max="1" value=${sent} aria-label=${t("composer.imageSending")}></progress>`}
    <${Here} attempt=${attempt} at=${unfolded && parts ? "form" : "rest"} />
  `;
}

/** The draft for the next one: a template stays, a list or a source has had its turn. */
function after({ template }) {
  const kept = { template: template && { ...template, values: {} }, prompt: template ? fill(template.prompt, {}) : "" };
  return { ...kept, source: null, list: false, variants: 1 };
}

function label(busy, count) {
  if (busy) return t("composer.sending");
  return count > 1 ? t("composer.submitMany", { count }) : t("composer.submit");
}

/** Folds and unfolds; says how much is chosen in what is folded. */
function Unfold({ draft, image, onPress }) {
  const { template, list, variants, visibility, tags, more } = draft;
  const chosen = [image, template, list, variants > 1, visibility === "team", tagsOf(tags).length].filter(Boolean).length;
  return html`
    <button type="button" class="unfold" aria-expanded=${Boolean(more)} onClick=${onPress}>
      <${Icon} name="sliders" />${more ? t("composer.less") : t("composer.more")}
      ${chosen > 0 && !more && html`<span class="badge">${chosen}</span>`}
    </button>
  `;
}
