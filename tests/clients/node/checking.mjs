// What the checks stand on. A check's name is the sentence that is printed when it holds.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';

/** What `python -m tests.clients` says of the place; the names are those of `surroundings.py`. */
export const place = Object.fromEntries(
  ['url', 'lossy_url', 'key', 'pages_key', 'viewer_key', 'poor_key', 'journal', 'clip'].map((name) => [
    name,
    process.env[`SORA_CLIENT_${name.toUpperCase()}`],
  ]),
);

const sdk = await import(process.env.SORA_CLIENT_PACKAGE);
export const { default: OpenAI, toFile } = sdk;

export const PORTRAIT = '720x1280';

const checks = [];

/** Adds a check; *run* is an asynchronous function without arguments. */
export function check(sentence, run) {
  checks.push({ sentence, run });
}

/** One check for each of *values*, which *run* gets. */
export function checkEach(sentence, values, run) {
  for (const value of values) check(`${sentence}: ${value}`, () => run(value));
}

/** Tries all, or those with one of *words* in their sentence; how many failed. */
export async function runChecks(words) {
  let failed = 0;
  for (const { sentence, run } of checks) {
    if (words.length && !words.some((word) => sentence.includes(word))) continue;
    const started = performance.now();
    try {
      await run();
      console.log(`ok   ${sentence} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      const reason = `${error.constructor.name}: ${error.message}`.replaceAll(/\s+/g, ' ').slice(0, 600);
      const where = /clients\/node\/([a-z]+\.mjs:\d+)/.exec(error.stack ?? '')?.[1] ?? 'somewhere';
      console.log(`FAIL ${sentence}: ${reason} (${where})`);
    }
  }
  return failed;
}

/** A client, and the growing list of what it sends: path, headers, status once the answer came. */
export function client({ key = place.key, lossy = false, ...options } = {}) {
  const sent = [];
  async function remembering(url, init) {
    const record = { path: new URL(url).pathname, headers: new Headers(init.headers), status: null };
    sent.push(record);
    const answer = await fetch(url, init);
    record.status = answer.status;
    return answer;
  }
  const made = new OpenAI({
    apiKey: key,
    baseURL: lossy ? place.lossy_url : place.url,
    fetch: remembering,
    ...options,
  });
  return { openai: made, sent };
}

let number = 0;

/** A prompt that nobody has used. */
export function prompt(about) {
  number += 1;
  return `${about} (node ${process.env.SORA_CLIENT_PACKAGE}, ${number})`;
}

/** What *look* resolves to, once it is *good*. */
export async function until(look, good, seconds = 20) {
  const ends = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    assert(performance.now() < ends, `after ${seconds} s it is still ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

/** The video once it has completed or failed. */
export function ended(id) {
  const { openai } = client();
  return until(
    () => openai.videos.retrieve(id),
    (video) => video.status === 'completed' || video.status === 'failed',
  );
}

export async function finished(about, fields = {}) {
  const { openai } = client();
  const made = await openai.videos.create({ prompt: prompt(about), size: PORTRAIT, ...fields });
  return ended(made.id);
}

/** The ids of all videos that were made from *text*. */
export async function idsOf(text) {
  const { openai } = client();
  const found = [];
  for await (const video of openai.videos.list({ limit: 100 })) if (video.prompt === text) found.push(video.id);
  return found;
}

/** How many creates the upstream has taken; waits for it to be *expected*, then for one too many. */
export async function paid(text, expected) {
  const count = () => {
    const lines = readFileSync(place.journal, 'utf8').split('\n').slice(0, -1);
    return lines.filter((line) => JSON.parse(line).prompt.includes(text)).length;
  };
  await until(async () => count(), (number) => number >= expected);
  await sleep(300);
  return count();
}

/** The rejection of *promise*, which must be an error of the SDK's. */
export async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

/** An image of stripes. */
export function png(width, height) {
  const row = Buffer.alloc(1 + 3 * width, Buffer.from([40, 120, 200]));
  row[0] = 0;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const chunk = (kind, data) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(named), 4);
    return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.concat(Array(height).fill(row)))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** An upload for the SDK. */
export function file(content, name, type) {
  return toFile(content, name, { type });
}

/** The MP4 that comes with the gateway. */
export function clip() {
  return file(readFileSync(place.clip), 'clip.mp4', 'video/mp4');
}
