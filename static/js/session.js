// Who is signed in: coming in by every way there is, going on under a new session, going out.

import { forgetDraft, loadJobs, loadModels, takeUpdates } from "./actions.js";
import { ApiError, auth, onUnauthorized } from "./api.js";
import { beginsHere } from "./first.js";
import { errorKey } from "./i18n.js";
import { connect } from "./live.js";
import { arrive, go, to } from "./router.js";
import { isOpen } from "./screens.js";
import * as state from "./state.js";

const { setSession } = state;

const SNAPSHOT = 100; // The most that a live snapshot holds.
const SETTLE_MS = 500;

let disconnect = () => {};
let entered = false;

// --- the address ---

/** The kinds of links with a secret behind the `#`. */
const LINKS = ["login", "invite", "reset"];

/** What the address asks for: a link's { kind, token }, or null. Nothing secret stays in it, nor in the history or a
 *  bookmark. */
function takeLink() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const kind = LINKS.find((name) => asked.get(name));
  const failed = asked.get("signInError");
  if (kind || failed) clearAddress();
  if (kind) state.notice.value = null; // It told of what was tried before.
  // The code is anybody's who can write an address: only words of our own are shown for it.
  if (failed) state.notice.value = { key: errorKey(failed), bad: true };
  return kind ? { kind, token: asked.get(kind) } : null;
}

const clearAddress = () => history.replaceState(null, "", location.pathname + location.search);

function addressChanged() {
  const link = takeLink();
  arrive();
  if (link || (!entered && !isOpen())) enter(link);
}

// --- coming in ---

/** Follows the link in the address, or continues a session, or shows how to sign in. Where nobody has to be signed in
 *  nobody is asked for, until they go elsewhere: a stranger would only be refused. */
export async function start() {
  onUnauthorized(lookWhoIAm);
  addEventListener("hashchange", addressChanged);
  const link = takeLink();
  arrive();
  if (link || !isOpen()) await enter(link);
}

/** Begins anew, so that nothing of before is left. */
async function enter(link) {
  entered = true;
  disconnect();
  state.clear();
  if (link && link.kind !== "login") return showDoor(link);
  setSession({ status: "loading" });
  try {
    const me = await (link ? auth.redeem(link.token) : auth.me());
    if (link && beginsHere(me)) go(to("welcome"), { replace: true });
    signedIn(me);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 && !link) signedOut();
    else if (link && error.status >= 400 && error.status < 500 && error.status !== 429) await withoutLink(error);
    else setSession({ status: "unreachable", error, link });
  }
}

/** A dead link does not end a session that is alive. */
async function withoutLink(error) {
  try {
    signedIn(await auth.me());
  } catch {
    signedOut({ error });
  }
}

/** Tries again after the gateway could not be reached. */
export const startAgain = () => enter(state.session.value.link ?? null);

/** Leaves a link unused: for whoever is signed in already, their videos; otherwise the sign-in form. */
export const withoutDoor = () => enter(null);

/** `next` is a door; see state.js. */
export function showDoor(next) {
  state.door.value = next;
  setSession({ status: "out" });
}

export async function loadMethods() {
  state.methodsError.value = null;
  try {
    state.methods.value = await auth.methods();
  } catch (error) {
    state.methodsError.value = error;
  }
}

/** Raises ApiError. */
export async function signIn(email, password) {
  const me = await auth.login(email, password);
  state.notice.value = null;
  signedIn(me);
}

/** Makes an account and signs in to it. Raises ApiError if there is none afterwards. */
export async function register(email, password, invitation) {
  await auth.register({ email, password, ...(invitation && { invitation }) });
  try {
    await signIn(email, password);
    state.notice.value = { key: invitation ? "register.welcome" : "register.welcomeOpen" };
  } catch (error) {
    // The gateway does not tell strangers whose address is taken, so the password was perhaps another one's.
    state.notice.value = { key: error.status === 401 ? "register.perhapsTaken" : "register.signInNow" };
    showDoor({ kind: "signin", email });
  }
}

/** Sets a forgotten password. Raises ApiError. */
export async function reset(token, password) {
  await auth.reset(token, password);
  state.notice.value = { key: "reset.done" };
  showDoor({ kind: "signin" });
}

/** Sends the browser to a provider. Raises ApiError. */
export async function goToProvider(name, wish) {
  const { url } = await auth.begin(name, wish);
  location.assign(url);
}

// --- being in ---

function signedIn(me) {
  disconnect();
  state.clear();
  state.door.value = { kind: "signin" };
  putMe(me);
  follow();
  loadModels();
  loadJobs();
}

function putMe({ user, simulator, hasPassword }) {
  setSession({ status: "in", user, simulator, hasPassword });
  if (hasPassword) state.noWayBack.value = false;
  else auth.identities().then(({ identities }) => (state.noWayBack.value = identities.length === 0), () => {});
}

function follow() {
  disconnect = connect({
    state: state.setConnection,
    snapshot: (list) => state.putSnapshot(list, SNAPSHOT),
    tasks: state.putTasks,
    updates: takeUpdates,
    // Another tab may have signed in anew or changed the password, and its new cookie may be on its way.
    signedOut: () => setTimeout(lookWhoIAm, SETTLE_MS),
    changed: lookWhoIAm,
    down: () => loadJobs(),
  });
}

let looking = null;

/** Asks who is signed in by now, and goes on as that person or not at all. */
export function lookWhoIAm() {
  if (state.session.value.status !== "in") return;
  looking ??= lookNow().finally(() => (looking = null));
  return looking;
}

async function lookNow() {
  try {
    const me = await auth.me();
    if (state.session.value.user?.id !== me.user.id) return signedIn(me);
    putMe(me);
    if (state.connection.value === "stopped") follow();
  } catch (error) {
    if (error.status === 401) signedOut({ ended: true });
    else if (state.connection.value === "stopped") follow(); // Not reached: the connection goes on asking.
  }
}

/** Does what gives this browser another session: the old one's live connection would be closed in the middle. */
async function renewing(work) {
  disconnect();
  try {
    return await work();
  } finally {
    if (state.session.value.status === "in") await lookWhoIAm();
  }
}

/** Proves once more who I am. Raises ApiError. */
export const signInAgain = (password) => renewing(() => auth.login(state.session.value.user.email, password));

/** Sets the password; `current` is left out by who has none. Raises ApiError. */
export const changePassword = (current, next) =>
  renewing(() => auth.password({ ...(current && { current }), new: next }));

/** Does what may need a fresh sign-in: asks for it and repeats. Resolves with undefined if nobody gave one. */
export async function fresh(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code !== "fresh_login_needed") throw error;
    const proved = await new Promise((resolve) => (state.dialog.value = { kind: "fresh", resolve }));
    return proved ? work() : undefined;
  }
}

// --- going out ---

function signedOut({ error = null, ended = false } = {}) {
  disconnect();
  state.clear();
  setSession({ status: "out", error, ended });
}

/** `tell` ends the session at the gateway, and maybe others. Raises ApiError when the gateway could not be told. */
export async function signOut(tell = auth.logout) {
  try {
    await tell();
  } catch (error) {
    if (error.status !== 401) throw error; // The session is gone already: just as well.
  }
  forgetDraft();
  clearAddress();
  arrive();
  state.notice.value = null;
  signedOut();
}
