// Each refusal as the SDK's own error, with what programs read from it, and without being sent again.

import assert from 'node:assert/strict';

import { check, client, file, finished, OpenAI, place, png, PORTRAIT, prompt, refused } from './checking.mjs';

/** *call* is refused in that way, and sent once. */
async function expect({ openai, sent }, call, kind, status, code, param = null) {
  const before = sent.length;
  const error = await refused(call(openai));
  assert.deepEqual([error.constructor.name, error.status, error.code, error.param], [kind.name, status, code, param]);
  assert(error.requestID, 'it has no request id');
  assert.match(error.error.message, /\.$/);
  assert.equal(sent.length - before, 1);
}

check('a wrong size is a bad request', () =>
  expect(client(), (openai) => openai.videos.create({ prompt: prompt('odd'), size: '720x7' }),
    OpenAI.BadRequestError, 400, 'invalid_request', 'size'));

check('an empty prompt is a bad request', () =>
  expect(client(), (openai) => openai.videos.create({ prompt: '' }),
    OpenAI.BadRequestError, 400, 'invalid_request', 'prompt'));

check('an unknown model is a bad request', () =>
  expect(client(), (openai) => openai.videos.create({ prompt: prompt('odd'), model: 'sora-0' }),
    OpenAI.BadRequestError, 400, 'model_not_found', 'model'));

check('an image that is none is a bad request', async () => {
  const input_reference = await file(Buffer.from('<svg/>'), 'a.png', 'image/png');
  await expect(client(), (openai) => openai.videos.create({ prompt: prompt('odd'), input_reference }),
    OpenAI.BadRequestError, 400, 'invalid_image', 'input_reference');
});

check('a wrong key is an authentication error', () =>
  expect(client({ key: 'sg_nobody' }), (openai) => openai.videos.retrieve('video_1'),
    OpenAI.AuthenticationError, 401, 'invalid_api_key'));

check('a viewer is denied a create', () =>
  expect(client({ key: place.viewer_key }), (openai) => openai.videos.create({ prompt: "a viewer's" }),
    OpenAI.PermissionDeniedError, 403, 'forbidden'));

check('what is not there is not found', async () => {
  const own = client();
  for (const call of [
    (openai) => openai.videos.retrieve('video_nothing'),
    (openai) => openai.videos.delete('video_nothing'),
    (openai) => openai.videos.downloadContent('video_nothing'),
    (openai) => openai.videos.remix('video_nothing', { prompt: 'again' }),
    (openai) => openai.videos.getCharacter('char_nothing'),
  ]) await expect(own, call, OpenAI.NotFoundError, 404, 'not_found');
});

check("somebody else's video is not found", async () => {
  const theirs = await finished('private');
  await expect(client({ key: place.pages_key }), (openai) => openai.videos.retrieve(theirs.id),
    OpenAI.NotFoundError, 404, 'not_found');
});

check('what is not finished is a conflict', async () => {
  const own = client();
  const video = await own.openai.videos.create({ prompt: prompt('slow [[fault:duration=5]]') });
  await expect(own, (openai) => openai.videos.delete(video.id), OpenAI.ConflictError, 409, 'not_finished');
  await expect(own, (openai) => openai.videos.downloadContent(video.id), OpenAI.ConflictError, 409, 'not_ready');
});

check('a key used for something else is a conflict', async () => {
  const own = client();
  const text = prompt('with a key');
  const options = { headers: { 'Idempotency-Key': text.replaceAll(' ', '-') } };
  const first = await own.openai.videos.create({ prompt: text }, options);
  assert.equal((await own.openai.videos.create({ prompt: text }, options)).id, first.id);
  await expect(own, (openai) => openai.videos.create({ prompt: 'something else' }, options),
    OpenAI.ConflictError, 409, 'idempotency_mismatch');
});

check('too few credits are told as such', () =>
  expect(client({ key: place.poor_key }), (openai) => openai.videos.create({ prompt: 'beyond my means' }),
    OpenAI.APIError, 402, 'insufficient_credits'));

check('an upload beyond the limit is refused and not sent again', async () => {
  const image = Buffer.concat([png(64, 64), Buffer.alloc(27 << 20)]);
  const input_reference = await file(image, 'huge.png', 'image/png');
  await expect(client(), (openai) => openai.videos.create({ prompt: prompt('huge'), size: PORTRAIT, input_reference }),
    OpenAI.APIError, 413, 'too_large');
});
