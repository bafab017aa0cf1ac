// The screens: where each is, what it is called, and who is offered it. All but the board are loaded when they are opened.

import { route } from "./router.js";

const everybody = () => true;
const administrators = (user) => user.role === "admin";

/** By the first part of the address. `load` gives a module with a component `Screen`, which is handed the rest of the
 *  path as `path` and the query as `search`; `area` has its words; an `open` one needs nobody who is signed in,
 *  and one with `needs` is shown to nobody else. */
export const SCREENS = {
  "": { area: null, load: () => import("./board/screen.js"), icon: "film", title: "nav.board", offered: everybody },
  gallery: { area: "gallery", load: () => import("./gallery/screen.js"), icon: "grid", title: "nav.gallery", offered: everybody },
  video: { area: "video", load: () => import("./video/screen.js"), title: "nav.video", offered: () => false },
  console: { area: "console", load: () => import("./console/screen.js"), icon: "code", title: "nav.console", offered: everybody },
  admin: { area: "admin", load: () => import("./admin/screen.js"), icon: "gauge", title: "nav.admin", offered: administrators, needs: administrators },
  account: { area: "account", load: () => import("./account/screen.js"), icon: "person", title: "nav.account", offered: () => false },
  shared: { area: "shared", load: () => import("./shared/screen.js"), title: "nav.shared", offered: () => false, open: true },
  welcome: { area: "welcome", load: () => import("./welcome/screen.js"), title: "nav.welcome", offered: () => false, needs: administrators },
};

/** The name of the screen that the address asks for; an unknown one is the board. */
export const screenName = () => {
  const [first = ""] = route.value.path;
  return Object.hasOwn(SCREENS, first) ? first : "";
};

/** Whether it needs nobody who is signed in. */
export const isOpen = () => SCREENS[screenName()].open ?? false;
