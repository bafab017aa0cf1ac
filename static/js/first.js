// Whether the first steps were gone through in this browser: then nobody is led to them again.

const CHOICE = "sora-gateway.welcome";

export const firstStepsDone = () => localStorage.getItem(CHOICE) === "done";
export const endFirstSteps = () => localStorage.setItem(CHOICE, "done");

/** Whether whoever just came in by a link has the first steps before them. */
export const beginsHere = ({ user, hasPassword }) => user.role === "admin" && !hasPassword && !firstStepsDone();
