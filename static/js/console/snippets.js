// The same request, or the same stream, as code for a terminal, Python and JavaScript. `base` ends in a slash. A key is
// never in the code: it comes from the environment.

export const LANGUAGES = ["curl", "python", "javascript"];

const KEY = "SORA_GATEWAY_KEY";

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const quoted = (text) => JSON.stringify(text);

/** A JSON text as a Python expression. */
export function python(value, indent = "") {
  const deeper = `${indent}    `;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) {
    return value.length ? `[${value.map((each) => python(each, indent)).join(", ")}]` : "[]";
  }
  if (typeof value === "object") {
    const parts = Object.entries(value).map(([name, each]) => `${deeper}${quoted(name)}: ${python(each, deeper)},`);
    return parts.length ? `{\n${parts.join("\n")}\n${indent}}` : "{}";
  }
  return quoted(value);
}

/** Code that sends `request`; see requestOf. A body that is no JSON is sent as it is. */
export function requestCode(language, base, { method, path, headers, body }) {
  const own = Object.entries(headers).filter(([name]) => name !== "authorization" && name !== "content-type");
  return { curl: curlRequest, python: pythonRequest, javascript: scriptRequest }[language]({
    method, address: base + path, own, body, json: parsed(body),
  });
}

function parsed(body) {
  try {
    return body === undefined ? undefined : JSON.parse(body);
  } catch {
    return undefined;
  }
}

function curlRequest({ method, address, own, body, json }) {
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}${shell(address)}`,
    `-H "Authorization: Bearer $${KEY}"`,
    ...own.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`--json ${shell(json === undefined ? body : JSON.stringify(json))}`]),
  ].join(" \\\n  ");
}

function pythonRequest({ method, address, own, body, json }) {
  const headers = [`"Authorization": f"Bearer {os.environ['${KEY}']}"`, ...own.map(([name, value]) => `${quoted(name)}: ${quoted(value)}`)];
  const sent = body === undefined ? "" : json === undefined ? `\n    content=${quoted(body)},` : `\n    json=${python(json, "    ")},`;
  return `import os

import httpx

response = httpx.request(
    ${quoted(method)},
    ${quoted(address)},
    headers={${headers.join(", ")}},${sent}
)
response.raise_for_status()
print(response.text)`;
}

function scriptRequest({ method, address, own, body, json }) {
  const headers = [
    `    authorization: \`Bearer \${process.env.${KEY}}\`,`,
    ...(body === undefined ? [] : [`    "content-type": "application/json",`]),
    ...own.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`),
  ].join("\n");
  const sent = body === undefined ? "" : json === undefined ? `\n  body: ${quoted(body)},` : `\n  body: JSON.stringify(${JSON.stringify(json, null, 2).replaceAll("\n", "\n  ")}),`;
  return `const response = await fetch(${quoted(address)}, {
  method: ${quoted(method)},
  headers: {
${headers}
  },${sent}
});
if (!response.ok) throw new Error(await response.text());
console.log(await response.json());`;
}

/** Code that follows: `transport` is "websocket" or "sse", `subscribe` the message of the live protocol, `path` the
 *  stream's address. */
export function liveCode(language, base, { transport, subscribe, path }) {
  const socket = `${base.replace(/^http/, "ws")}ws`;
  const message = JSON.stringify(subscribe);
  if (transport === "sse" || language === "curl") {
    return { curl: curlStream, python: pythonStream, javascript: scriptStream }[language](base + path);
  }
  return language === "python" ? pythonSocket(socket, subscribe) : scriptSocket(socket, message);
}

const curlStream = (address) => `curl -N ${shell(address)} \\
  -H "Authorization: Bearer $${KEY}"`;

const pythonStream = (address) => `import os

import httpx

headers = {"Authorization": f"Bearer {os.environ['${KEY}']}"}
with httpx.stream("GET", ${quoted(address)}, headers=headers, timeout=60) as stream:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            print(line[6:])`;

const scriptStream = (address) => `const response = await fetch(${quoted(address)}, {
  headers: { authorization: \`Bearer \${process.env.${KEY}}\` },
});
for await (const text of response.body.pipeThrough(new TextDecoderStream())) console.log(text);`;

const pythonSocket = (address, subscribe) => `import asyncio
import json
import os

from websockets.asyncio.client import connect


async def main():
    headers = {"Authorization": f"Bearer {os.environ['${KEY}']}"}
    async with connect(${quoted(address)}, additional_headers=headers) as socket:
        await socket.send(json.dumps(${python(subscribe, "        ")}))
        async for message in socket:
            print(message)


asyncio.run(main())`;

const scriptSocket = (address, message) => `const socket = new WebSocket(${quoted(address)});
socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token: process.env.${KEY} }));
socket.onmessage = ({ data }) => {
  console.log(data);
  if (JSON.parse(data).type === "ready") socket.send(${quoted(message)});
};
socket.onclose = ({ code, reason }) => console.log(code, reason);`;
