// Answers that are lost on the way. The SDK sends the request again, without a key: that must not cost twice.

import assert from 'node:assert/strict';

import {
  check, checkEach, client, clip, ended, file, finished, idsOf, OpenAI, paid, png, PORTRAIT, prompt, refused,
} from './checking.mjs';

/** Words of `lossy_proxy.py`, one for each time that the request is sent. */
const WAYS = [
  'unsent', 'cut', 'vanish', 'drop', 'silence', '500', '502', '503', '429', 'drop, drop', '502, drop', 'unsent, drop',
  'drop, unsent', 'silence, 500',
];
const WAYS_OF_AN_IMAGE = ['cut', 'vanish', 'drop', 'silence', '502, drop'];
const TIMEOUT = 3000;

const lost = (way) => ({ headers: { 'x-lose': way } });
const tries = (way) => way.split(',').length + 1;
const sorted = (ids) => [...ids].sort();

checkEach('an answer lost on the way makes one video', WAYS, async (way) => {
  const { openai, sent } = client({ lossy: true, timeout: TIMEOUT });
  const text = prompt(`lost by ${way}`);
  const video = await openai.videos.create({ prompt: text }, lost(way));
  assert.deepEqual(
    sent.map(({ headers }) => headers.get('x-stainless-retry-count')),
    Array.from({ length: tries(way) }, (_, index) => String(index)),
  );
  assert.deepEqual(await idsOf(text), [video.id]);
  assert.equal((await ended(video.id)).status, 'completed');
  assert.equal(await paid(text, 1), 1);
});

check('an answer that breaks in the middle makes one video', async () => {
  const { openai } = client({ lossy: true });
  const text = prompt('lost in the middle');
  const { id } = await openai.videos.create({ prompt: text }, lost('half')).catch(() => ({ id: null }));
  const ids = await idsOf(text);
  assert.equal(ids.length, 1);
  // Once it has seen the head of an answer, the SDK may take its loss for final.
  assert(id === null || id === ids[0]);
  assert.equal(await paid(text, 1), 1);
});

checkEach('an answer lost on the way makes one video of an image', WAYS_OF_AN_IMAGE, async (way) => {
  const { openai, sent } = client({ lossy: true, timeout: TIMEOUT });
  const text = prompt(`image lost by ${way}`);
  const input_reference = await file(png(720, 1280), 'first.png', 'image/png');
  const video = await openai.videos.create({ prompt: text, size: PORTRAIT, input_reference }, lost(way));
  assert.equal(sent.length, tries(way));
  assert.deepEqual(await idsOf(text), [video.id]);
  assert.equal((await ended(video.id)).status, 'completed');
  assert.equal(await paid(text, 1), 1);
});

check('a create whose every answer is lost makes one video', async () => {
  const { openai, sent } = client({ lossy: true });
  const text = prompt('lost for good');
  const error = await refused(openai.videos.create({ prompt: text }, lost('drop, drop, drop')));
  assert(error instanceof OpenAI.APIConnectionError, String(error));
  assert.equal(sent.length, 3);
  assert.equal((await idsOf(text)).length, 1);
  assert.equal(await paid(text, 1), 1);
});

checkEach(
  'two equal creates at once make two videos when both answers are lost',
  ['drop', 'vanish', '502, drop', 'silence'],
  async (way) => {
    const { openai } = client({ lossy: true, timeout: TIMEOUT });
    const text = prompt(`twice at once, lost by ${way}`);
    const make = () => openai.videos.create({ prompt: text }, lost(way));
    const made = (await Promise.all([make(), make()])).map(({ id }) => id);
    assert.equal(new Set(made).size, 2);
    assert.deepEqual(sorted(await idsOf(text)), sorted(made));
    assert.equal(await paid(text, 2), 2);
  },
);

check('equal creates one after another are videos of their own', async () => {
  const { openai } = client({ lossy: true });
  const text = prompt('again and again');
  const made = [];
  for (const way of ['', 'drop', '', '500, drop', '']) {
    made.push((await openai.videos.create({ prompt: text }, lost(way))).id);
  }
  assert.equal(new Set(made).size, 5);
  assert.deepEqual(sorted(await idsOf(text)), sorted(made));
  assert.equal(await paid(text, 5), 5);
});

checkEach('a lost answer to a remix makes one video', ['drop', '502, drop'], async (way) => {
  const source = await finished('a source');
  const { openai, sent } = client({ lossy: true });
  const text = prompt(`remix lost by ${way}`);
  const remix = await openai.videos.remix(source.id, { prompt: text }, lost(way));
  assert.equal(sent.length, tries(way));
  assert.equal(remix.remixed_from_video_id, source.id);
  assert.deepEqual(await idsOf(text), [remix.id]);
  assert.equal(await paid(text, 1), 1);
});

checkEach('a lost answer to an upload makes one video', ['edit', 'extend'], async (method) => {
  const { openai, sent } = client({ lossy: true });
  const text = prompt(`${method} lost`);
  const more = method === 'extend' ? { seconds: '4' } : {};
  const video = await openai.videos[method]({ prompt: text, video: await clip(), ...more }, lost('drop, 500'));
  assert.equal(sent.length, 3);
  assert.deepEqual(await idsOf(text), [video.id]);
  assert.equal(await paid(text, 1), 1);
});
