// What a screen fetches: while it is on its way, when it failed, when it is there.

import { useCallback, useEffect, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";

/** Calls `load` now and whenever one of `keys` changes. `value` is what it gave last (undefined before), `error` why it
 *  gave nothing, `busy` whether it is on its way; `again()` asks once more, `put(value)` takes what is known already. */
export function useLoaded(load, keys = []) {
  const [state, setState] = useState({ value: undefined, error: null, busy: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let wanted = true;
    setState((was) => ({ ...was, busy: true }));
    load().then(
      (value) => wanted && setState({ value, error: null, busy: false }),
      (error) => wanted && setState((was) => ({ ...was, error, busy: false })),
    );
    return () => (wanted = false); // What comes later is not what is shown any more.
  }, [...keys, round]);
  const again = useCallback(() => setRound((was) => was + 1), []);
  const put = useCallback((value) => setState({ value, error: null, busy: false }), []);
  return { ...state, again, put };
}

/** Draws `children(value)` once there is one, and what stands in its place until then. */
export function Loaded({ from, children }) {
  if (from.value !== undefined) {
    return html`
      ${from.error && html`<p class="problem" role="alert">${errorText(from.error)}</p>`}
      ${children(from.value)}
    `;
  }
  if (from.error) {
    return html`
      <div class="empty" role="alert">
        <p>${errorText(from.error)}</p>
        <button onClick=${from.again}>${t("action.tryAgain")}</button>
      </div>
    `;
  }
  return html`<p class="quiet" role="status">${t("app.loading")}</p>`;
}

/** Nothing to show, said kindly: a title, and what to do as `children`. */
export function Empty({ title, children }) {
  return html`<div class="empty"><p><strong>${title}</strong></p>${children}</div>`;
}

/** Gives the next page; `load` raises ApiError. */
export function More({ load }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const press = async () => {
    setBusy(true);
    setProblem(null);
    await load().catch(setProblem);
    setBusy(false);
  };
  return html`
    <div class="older">
      <button onClick=${press} disabled=${busy}>${busy ? t("app.loading") : t("app.more")}</button>
      ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
    </div>
  `;
}
