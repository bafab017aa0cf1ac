// What the composer loads when somebody unfolds it or fills it from a video.

export { More } from "./more.js";
export { carried } from "./sending.js";
export { Source, fillFrom } from "./source.js";
