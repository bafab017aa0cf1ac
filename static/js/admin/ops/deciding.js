// One decision after another, and what came of each.

import { useState } from "../../../vendor/hooks.js";
import { html } from "../../html.js";
import { errorText, t } from "../../i18n.js";
import { fresh } from "../../session.js";
import { announcement } from "../../state.js";
import { resultOf } from "./outcomes.js";

/** `decide(jobs, work, said)` does `work(job)` for each in turn and keeps what came of it: `said` is a key of the texts, or
 *  undefined for what the answer tells. What fails is told, and the rest goes on. */
export function useDecisions(onDone) {
  const [busy, setBusy] = useState(false);
  const [results, setResults] = useState([]);
  const decide = async (jobs, work, said) => {
    if (busy) return;
    setBusy(true);
    setResults([]);
    const told = [];
    for (const job of jobs) {
      const result = await one(job, work, said);
      if (result === null) break; // Nobody proved who they are, so nothing is done.
      told.push(result);
      setResults([...told]);
    }
    setBusy(false);
    announcement.value = told.map(sentence).join(" ");
    onDone();
  };
  return { busy, results, decide };
}

async function one(job, work, said) {
  try {
    const answer = await fresh(async () => ({ got: await work(job) }));
    return answer ? { job, key: said ?? resultOf(answer.got), task: answer.got } : null;
  } catch (error) {
    return { job, error };
  }
}

// What stands against a decision is told by the gateway: it knows of several reasons.
const refusal = (error) => (error.code === "conflict" ? t("ops.result.not", { why: error.message }) : errorText(error));
const sentence = ({ key, task, error }) => (error ? refusal(error) : t(key, { id: task.externalVideoId ?? "", credits: task.credits ?? 0 }));

export function Results({ results }) {
  if (results.length === 0) return null;
  return html`
    <ul class="ops-results notice">
      ${results.map(
        (result) => html`
          <li key=${result.job.videoId} class=${result.error && "problem"}>
            <q>${(result.job.prompt ?? result.job.videoId).slice(0, 60)}</q> ${sentence(result)}
          </li>
        `,
      )}
    </ul>
  `;
}
