// How I sign in: a password, and accounts elsewhere.

import { html } from "../html.js";
import { Identities } from "./identities.js";
import { Password } from "./password.js";

export const SignIn = () => html`<${Password} /><${Identities} />`;
