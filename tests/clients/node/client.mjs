// OpenAI's Node SDK as a client. Arguments are words: only checks with one of them in their sentence are tried.

import { runChecks } from './checking.mjs';
import './surface.mjs';
import './refusals.mjs';
import './losses.mjs';

process.exitCode = (await runChecks(process.argv.slice(2))) ? 1 : 0;
