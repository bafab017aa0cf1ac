// Everything that the SDK offers for videos, where nothing goes wrong.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  check, checkEach, client, clip, ended, file, finished, idsOf, place, png, PORTRAIT, prompt,
} from './checking.mjs';

check('a video is made from a prompt alone', async () => {
  const { openai, sent } = client();
  const text = prompt('a paper boat in the rain');
  const video = await openai.videos.create({ prompt: text });
  assert.deepEqual(
    [video.object, video.prompt, video.model, video.size, video.seconds],
    ['video', text, 'sora-2', PORTRAIT, '4'],
  );
  assert.deepEqual([video.error, video.completed_at, video.remixed_from_video_id], [null, null, null]);
  assert.equal(sent.length, 1);
});

check('seconds and size and model are taken over', async () => {
  const { openai } = client();
  const video = await openai.videos.create({
    prompt: prompt('a lighthouse'), model: 'sora-2-pro', seconds: '8', size: '1280x720',
  });
  assert.deepEqual([video.model, video.seconds, video.size], ['sora-2-pro', '8', '1280x720']);
});

checkEach('a video is made from an image', ['its size', 'another size'], async (which) => {
  const { openai } = client();
  const image = which === 'its size' ? png(720, 1280) : png(96, 64);
  const video = await openai.videos.create({
    prompt: prompt('from an image'), size: PORTRAIT, input_reference: await file(image, 'first.png', 'image/png'),
  });
  assert.equal((await ended(video.id)).status, 'completed');
});

check('an image may be a data URL', async () => {
  const { openai } = client();
  const video = await openai.post('/videos', {
    body: {
      prompt: prompt('from a data URL'),
      input_reference: { image_url: `data:image/png;base64,${png(64, 96).toString('base64')}` },
    },
  });
  assert.equal((await ended(video.id)).status, 'completed');
});

check('an image may be a data URL in a form', async () => {
  const { openai } = client();
  const video = await openai.videos.create({
    prompt: prompt('from a data URL in brackets'),
    input_reference: { image_url: `data:image/png;base64,${png(64, 96).toString('base64')}` },
  });
  assert.equal((await ended(video.id)).status, 'completed');
});

check('the answer says when to ask again', async () => {
  const { openai } = client();
  const made = await openai.videos.create({ prompt: prompt('slow [[fault:duration=1.5]]') });
  let looks = 0;
  for (;;) {
    const { data, response } = await openai.videos.retrieve(made.id).withResponse();
    const after = response.headers.get('openai-poll-after-ms');
    if (data.status === 'completed') {
      assert.equal(after, null, 'there is nothing left to wait for');
      break;
    }
    assert.match(after, /^[0-9]+$/);
    await sleep(Number(after));
    looks += 1;
    assert(looks < 20, 'it was asked too often');
  }
});

check('a failed video says why', async () => {
  const video = await finished('refused in the end [[fault:fail]]');
  assert.deepEqual([video.status, video.error.code], ['failed', 'moderation_blocked']);
});

check('a list is read page by page in both orders', async () => {
  const { openai, sent } = client({ key: place.pages_key });
  const all = async (query) => {
    const ids = [];
    for await (const video of openai.videos.list(query)) ids.push(video.id);
    return ids;
  };
  const everything = await all({ order: 'asc', limit: 100 });
  for (let made = 0; made < 5; made += 1) {
    everything.push((await openai.videos.create({ prompt: prompt('one of five') })).id);
  }
  sent.length = 0;
  assert.deepEqual(await all({ order: 'asc', limit: 2 }), everything);
  assert.equal(sent.length, Math.ceil(everything.length / 2));
  assert.deepEqual(await all({ order: 'desc', limit: 2 }), everything.toReversed());
  assert.deepEqual(await all({ limit: 2 }), everything.toReversed());
});

checkEach('a finished video has its files', ['video', 'thumbnail', 'spritesheet'], async (variant) => {
  const { openai } = client();
  const video = await finished('with files');
  const answer = await openai.videos.downloadContent(video.id, { variant });
  const content = Buffer.from(await answer.arrayBuffer());
  assert.equal(Number(answer.headers.get('content-length')), content.length);
  const kind = answer.headers.get('content-type');
  if (variant === 'video') {
    assert.deepEqual([kind, content.subarray(4, 8).toString()], ['video/mp4', 'ftyp']);
  } else {
    const magic = { 'image/webp': 'RIFF', 'image/jpeg': '\xff\xd8\xff', 'image/png': '\x89PNG' }[kind];
    assert(magic, kind);
    assert(content.toString('latin1', 0, 8).startsWith(magic));
  }
});

check('a remix names its source', async () => {
  const { openai } = client();
  const source = await finished('to be remixed');
  const remix = await openai.videos.remix(source.id, { prompt: prompt('the same at night') });
  assert.equal(remix.remixed_from_video_id, source.id);
  assert.equal((await ended(remix.id)).status, 'completed');
});

check('an uploaded video is edited', async () => {
  const { openai } = client();
  const video = await openai.videos.edit({ prompt: prompt('in black and white'), video: createReadStream(place.clip) });
  assert.equal((await ended(video.id)).status, 'completed');
});

check('an uploaded video is extended', async () => {
  const { openai } = client();
  const video = await openai.videos.extend({ prompt: prompt('and then'), seconds: '4', video: await clip() });
  const done = await ended(video.id);
  assert.equal(done.status, 'completed');
  assert(Number(done.seconds) > 4, done.seconds);
});

checkEach('a finished video is named by its id', ['edit', 'extend'], async (method) => {
  const { openai } = client();
  const source = await finished('a source', { seconds: '4' });
  const more = method === 'extend' ? { seconds: '8' } : {};
  const video = await openai.videos[method]({ prompt: prompt(`of ${method}`), video: { id: source.id }, ...more });
  const done = await ended(video.id);
  assert.deepEqual([done.status, done.seconds], ['completed', method === 'extend' ? '12' : '4']);
});

check('a character is made and found and used', async () => {
  const { openai } = client();
  const name = prompt('Ada');
  const made = await openai.videos.createCharacter({ name, video: await clip() });
  assert.equal(made.name, name);
  const found = await openai.videos.getCharacter(made.id);
  assert.deepEqual([found.id, found.name, found.created_at], [made.id, made.name, made.created_at]);
  const video = await openai.videos.create({ prompt: prompt('with a character'), characters: [{ id: made.id }] });
  assert.equal((await ended(video.id)).status, 'completed');
});

check('a deleted video is gone', async () => {
  const { openai } = client();
  const video = await finished('to be deleted');
  const gone = await openai.videos.delete(video.id);
  assert.deepEqual([gone.id, gone.deleted, gone.object], [video.id, true, 'video.deleted']);
  assert.deepEqual(await idsOf(video.prompt), []);
});

check('the models are listed', async () => {
  const { openai } = client();
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert(ids.includes('sora-2'), String(ids));
});
