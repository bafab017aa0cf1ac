// Whoever is no person: how the log and the ledger name them, in the page's language.

import { t } from "../i18n.js";

const WORDS = {
  "": "admin.actor.gateway",
  "command line": "admin.actor.commandLine",
  configuration: "admin.actor.configuration",
};

/** Anybody else as they are named. */
export const actorText = (actor) => (WORDS[actor] ? t(WORDS[actor]) : actor);
