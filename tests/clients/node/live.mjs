// `ws` and `eventsource` as clients of the live updates. Arguments are words, as for client.mjs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { EventSource } from 'eventsource';
import { WebSocket } from 'ws';

import { check, prompt, runChecks, until } from './checking.mjs';

const url = process.env.SORA_CLIENT_URL;
const ownKey = process.env.SORA_CLIENT_KEY;
const REVOKED = 4403;
const RESTARTING = 1012;
const FINAL = ['completed', 'failed', 'cancelled'];

async function api(path, { method = 'GET', body, key = ownKey } = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  assert(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

const make = async (about) =>
  (await api('/api/video/tasks', { method: 'POST', body: { prompt: prompt(about) } })).videoId;
const ended = (id) => until(() => api(`/api/video/tasks/${id}`), ({ status }) => FINAL.includes(status));
const newKey = () => api('/api/keys', { method: 'POST', body: { name: 'to be revoked' } });
const revoke = (id) => api(`/api/keys/${id}`, { method: 'DELETE' });

/** A queue of what comes: `put` it, and `next` waits for it. */
function inbox() {
  const come = [];
  let wake = () => {};
  return {
    put(item) {
      come.push(item);
      wake();
    },
    async next() {
      const late = sleep(15_000, 'late', { ref: false });
      while (!come.length) {
        const said = await Promise.race([new Promise((resolve) => (wake = resolve)), late]);
        assert.notEqual(said, 'late', 'nothing came');
      }
      return come.shift();
    },
  };
}

/** A greeted WebSocket. */
async function talk(key = ownKey) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { Authorization: `Bearer ${key}` } });
  const { put, next } = inbox();
  socket.on('message', (data) => put(JSON.parse(data)));
  const closed = once(socket, 'close').then(([code]) => code);
  const ready = await next();
  assert.equal(ready.type, 'ready');
  const say = (message) => socket.send(JSON.stringify(message));
  return { say, next, ready, closed, cut: () => socket.terminate() };
}

/** An EventSource with a key; `next` gives its messages, each with its `id`. */
function stream(path, { key = ownKey, after } = {}) {
  const requests = [];
  const source = new EventSource(url + path, {
    async fetch(address, init) {
      const headers = { ...init.headers, Authorization: `Bearer ${key}` };
      if (after && !headers['Last-Event-ID']) headers['Last-Event-ID'] = after;
      const answer = await fetch(address, { ...init, headers });
      requests.push({ status: answer.status, after: headers['Last-Event-ID'] });
      return answer;
    },
  });
  const { put, next } = inbox();
  for (const kind of ['subscribed', 'update', 'reset']) {
    source.addEventListener(kind, ({ data, lastEventId }) => put({ ...JSON.parse(data), id: lastEventId }));
  }
  source.addEventListener('error', ({ code }) => put({ type: 'end', code }));
  return { next, requests, source };
}

async function untilFinal(next, ids) {
  const left = new Set(ids);
  const seen = [];
  while (left.size) {
    const message = await next();
    assert.equal(message.type, 'update');
    seen.push(message);
    if (FINAL.includes(message.status)) left.delete(message.videoId);
  }
  return seen;
}

/** Without what is signed anew for each reader. */
const told = (updates) => updates.map(({ assets, ...rest }) => rest);
const after = (updates, seq) => updates.filter((update) => update.seq > seq);

check('ws follows a video by its id to its end', async () => {
  const id = await make('followed');
  const { say, next } = await talk();
  say({ type: 'subscribe', videoId: id });
  const { type, topic, tasks } = await next();
  assert.deepEqual([type, topic, tasks.length], ['subscribed', `video:${id}`, 1]);
  const seen = await untilFinal(next, [id]);
  assert.equal(seen.at(-1).status, 'completed');
  assert(seen.at(-1).assets.videoUrl);
});

check('ws follows a video by its external id', async () => {
  const id = await make('followed elsewhere');
  const first = await talk();
  first.say({ type: 'subscribe', videoId: id });
  let external = null;
  while (!external) ({ externalVideoId: external } = await first.next());
  const { say, next } = await talk();
  say({ type: 'subscribe', externalVideoId: external, pending: true });
  assert.deepEqual((await next()).tasks.map(({ videoId }) => videoId), [id]);
  assert.equal((await untilFinal(next, [id])).at(-1).externalVideoId, external);
});

check('ws is told that a video does not exist, and may wait for it', async () => {
  const { say, next } = await talk();
  say({ type: 'subscribe', externalVideoId: 'nobody-has-it' });
  assert.equal((await next()).code, 'not_found');
  say({ type: 'subscribe', externalVideoId: 'nobody-has-it', pending: true });
  assert.deepEqual((await next()).tasks, []);
});

check('ws is told exactly what it missed after a cut', async () => {
  const { say, next, ready, cut } = await talk();
  say({ type: 'subscribe', all: true });
  await next();
  const id = await make('cut');
  let seen = await next();
  while (!seen.externalVideoId) seen = await next();
  cut();
  await ended(id);
  const since = async (cursor) => {
    const again = await talk();
    again.say({ type: 'subscribe', all: true, since: cursor });
    assert.equal((await again.next()).cursor, cursor);
    return told(await untilFinal(again.next, [id]));
  };
  const missed = await since(seen.cursor);
  assert(missed.length);
  assert.deepEqual(missed, after(await since(ready.cursor), seen.seq));
});

check('ws sees the code when its key is revoked', async () => {
  const { id, key } = await newKey();
  const { closed } = await talk(key);
  await revoke(id);
  assert.equal(await closed, REVOKED);
});

check('eventsource follows a video to its end, comes back once and stops for good', async () => {
  const { next, requests, source } = stream(`/api/video/tasks/${await make('streamed')}/stream`);
  assert.equal((await next()).type, 'subscribed');
  let last = await next();
  while (!FINAL.includes(last.status)) last = await next();
  assert.equal((await next()).type, 'end');
  assert.deepEqual(await next(), { type: 'end', code: 204 });
  assert.deepEqual(requests, [{ status: 200, after: undefined }, { status: 204, after: last.id }]);
  assert.equal(source.readyState, source.CLOSED);
});

check('eventsource resumes after the last id', async () => {
  const first = stream('/api/events/stream');
  const { id: start } = await first.next();
  const video = await make('streamed and cut');
  let last = await first.next();
  while (!last.externalVideoId) last = await first.next();
  first.source.close();
  await ended(video);
  const replayed = async (id) => {
    const { next, source } = stream('/api/events/stream', { after: id });
    assert.equal((await next()).type, 'subscribed');
    const updates = told(await untilFinal(next, [video]));
    source.close();
    return updates;
  };
  const missed = await replayed(last.id);
  assert(missed.length);
  assert.deepEqual(missed, after(await replayed(start), last.seq));
});

check('eventsource is refused for good when its key is revoked', async () => {
  const { id, key } = await newKey();
  const { next, source } = stream('/api/events/stream', { key });
  assert.equal((await next()).type, 'subscribed');
  await revoke(id);
  assert.equal((await next()).type, 'end');
  assert.deepEqual(await next(), { type: 'end', code: 401 });
  assert.equal(source.readyState, source.CLOSED);
});

check('a restart is told to everybody', async () => {
  // The last one: the gateway is stopped once every client has said that it waits for it.
  const { closed } = await talk();
  const { next, source } = stream('/api/events/stream');
  assert.equal((await next()).type, 'subscribed');
  console.log('WAITING');
  assert.equal(await closed, RESTARTING);
  assert.equal((await next()).type, 'end');
  source.close();
});

process.exit((await runChecks(process.argv.slice(2))) ? 1 : 0);
