// One try of a form: while it runs, what came of it, and how long to wait before the next one.

import { useEffect, useState } from "../../vendor/hooks.js";
import { clock } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { announcement } from "../state.js";

const TICK_MS = 250;

/** `run(work)` resolves with what work resolves with, or undefined when it failed or it is not yet time.
 *  `error` is an ApiError, or { field, key } of a field that is not filled in as it should be, or null. */
export function useAttempt() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const until = error?.retryAt;
    if (!until) return undefined;
    const count = () => {
      const seconds = Math.ceil((until - Date.now()) / 1_000);
      setLeft(Math.max(0, seconds));
      if (seconds > 0) return;
      setError(null);
      announcement.value = t("wait.over");
    };
    const timer = setInterval(count, TICK_MS);
    return () => {
      clearInterval(timer);
      setLeft(0);
    };
  }, [error]);
  const waiting = error?.retryAt ? left || Math.ceil((error.retryAt - Date.now()) / 1_000) : 0;
  const resting = busy || waiting > 0;
  const run = async (work) => {
    if (resting) return undefined;
    setBusy(true);
    setError(null);
    try {
      return await work();
    } catch (problem) {
      setError(problem);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, resting, waiting, error, fail: setError };
}

/** What went wrong, said once; the seconds that are left run for the eye only. `text` may know a better word. */
export function Problem({ attempt, text = () => null }) {
  const { error, waiting } = attempt;
  const [first, setFirst] = useState(0);
  useEffect(() => setFirst(waiting), [error]);
  if (!error) return null;
  return html`
    <p class="problem" role="alert">
      ${error.key ? t(error.key) : (text(error) ?? errorText(error))}
      ${waiting > 0 &&
      html`
        ${" "}<span class="visually-hidden">${t("wait.left", { time: clock(first || waiting) })}</span>
        <span class="wait" aria-hidden="true">${t("wait.left", { time: clock(waiting) })}</span>
      `}
    </p>
  `;
}

/** The button that sends a form. It keeps the focus while it rests, which a disabled one would lose. */
export const Submit = ({ attempt, children }) => html`
  <button class="primary" aria-disabled=${attempt.resting}>${attempt.busy ? t("form.busy") : children}</button>
`;
