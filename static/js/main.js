// Starts the page.

import { render } from "../vendor/preact.js";
import { start } from "./session.js";
import { html } from "./html.js";
import { startLanguage } from "./i18n.js";
import { startTheme } from "./theme.js";
import { App } from "./views/app.js";

startTheme();
await startLanguage();
render(html`<${App} />`, document.getElementById("app"));
await start();
