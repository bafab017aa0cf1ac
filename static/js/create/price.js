// What it costs, and what is left then, before it is asked for.

import { useEffect, useState } from "../../vendor/hooks.js";
import { clock, number } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { quote as ask } from "./api.js";

const SETTLE_MS = 250;

/** The answer to a question (wish.js), asked anew when it or one of `keys` changes: { quote, error, fresh }. `quote` is the
 *  last one that was given, `fresh` whether it is the one to this question. */
export function useQuote(question, keys) {
  const asked = JSON.stringify(question);
  const [known, setKnown] = useState({ quote: null, error: null, asked: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!question) return undefined;
    let wanted = true;
    const put = (answer) => wanted && setKnown((was) => ({ ...was, error: null, asked, ...answer }));
    const timer = setTimeout(() => ask(question).then((quote) => put({ quote }), (error) => put({ error })), SETTLE_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [asked, round, ...keys]);
  const wait = known.quote?.reason?.retryAfter ?? null;
  useEffect(() => {
    // The balance may have changed elsewhere, or the plan allow it again.
    const again = () => setRound((was) => was + 1);
    addEventListener("focus", again);
    const timer = wait === null ? 0 : setTimeout(again, 1_000 * Math.min(wait + 1, 600));
    return () => {
      removeEventListener("focus", again);
      clearTimeout(timer);
    };
  }, [known.quote]);
  return { quote: known.quote, error: known.error, fresh: known.asked === asked };
}

/** Whether it could not be paid for, or the plan does not allow it. */
export const stops = ({ quote, error, fresh }) => fresh && !error && quote !== null && (quote.missing > 0 || !quote.allowed);

/** The price, or what keeps it from being asked for: `fault` (wish.js) goes first. */
export function Price({ price, count, fault }) {
  const { quote, error, fresh } = price;
  if (fault && fault.key !== "composer.empty") {
    // What is not filled in yet is no mistake yet.
    const kind = fault.param === "template" ? "quiet" : "problem";
    return html`<p id="price" class=${`price ${kind}`} role="status">${t(fault.key, fault.values)}</p>`;
  }
  if (fresh && error) return html`<p id="price" class="price quiet">${t("composer.priceFailed")} ${errorText(error)}</p>`;
  if (!quote) return html`<p id="price" class="price quiet"></p>`;
  const { credits, available, missing, allowed, reason } = quote;
  if (fresh && !allowed) {
    const wait = reason.retryAfter;
    return html`
      <p id="price" class="price problem" role="status">
        ${errorText(reason)} ${wait !== null && wait > 0 && t("wait.left", { time: clock(wait) })}
      </p>
    `;
  }
  if (fresh && missing > 0) {
    return html`<p id="price" class="price problem" role="status">${t("composer.missing", figures({ credits, available, missing }))}</p>`;
  }
  const words = { credits, each: Math.round(credits / Math.max(1, count)), left: available - credits };
  const key = credits === 0 ? "composer.free" : count > 1 ? "composer.priceMany" : "composer.price";
  return html`<p id="price" class="price quiet" data-fresh=${fresh}>${t(key, figures(words))}</p>`;
}

const figures = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, number(value)]));
