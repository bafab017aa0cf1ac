// Where a reference image lands on the picture that goes upstream: the gateway's own geometry (media/image_task.py). Pure.

export const FITS = ["crop", "pad", "stretch"];

/** Both are { width, height }. { from, to } are { x, y, width, height } of what is taken of the image, and where it is
 *  put. */
export function placed(image, size, fit) {
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  if (fit === "stretch") return { from: whole, to: { x: 0, y: 0, ...size } };
  if (fit === "pad") {
    const scale = Math.min(size.width / image.width, size.height / image.height);
    const width = Math.max(1, evenly(image.width * scale));
    const height = Math.max(1, evenly(image.height * scale));
    const x = Math.floor((size.width - width) / 2);
    const y = Math.floor((size.height - height) / 2);
    return { from: whole, to: { x, y, width, height } };
  }
  const width = Math.min(image.width, (image.height * size.width) / size.height);
  const height = Math.min(image.height, (image.width * size.height) / size.width);
  const from = { x: (image.width - width) / 2, y: (image.height - height) / 2, width, height };
  return { from, to: { x: 0, y: 0, ...size } };
}

/** Rounded as Python does it: halves to the even neighbour. */
function evenly(number) {
  const below = Math.floor(number);
  if (number - below !== 0.5) return Math.round(number);
  return below % 2 ? below + 1 : below;
}

/** What a person should know of it, in percent and times: { lost } of the image, { bars } of the picture that stay
 *  black, { enlarged } how much, { bent } how far from its proportions. */
export function effect(image, size, fit) {
  const { from, to } = placed(image, size, fit);
  const share = (part, all) => Math.round(100 * (1 - (part.width * part.height) / (all.width * all.height)));
  const [across, down] = [to.width / from.width, to.height / from.height];
  return {
    lost: share(from, image),
    bars: share(to, size),
    enlarged: Math.max(across, down),
    bent: Math.round(100 * (Math.max(across / down, down / across) - 1)),
  };
}
