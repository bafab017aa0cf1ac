// The operations of an OpenAPI description, and an example of what each is sent. Nothing here touches the page.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;

/** { id, method, path, tag, summary, description, parameters, body } of each operation, as the description has them in
 *  order. `body` is an example as JSON text, or null; an operation that takes files only has { files: true }. */
export function operationsOf(description) {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => {
      const operation = methods[method];
      const content = operation.requestBody?.content ?? {};
      const schema = content["application/json"]?.schema;
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        tag: operation.tags?.[0] ?? "",
        summary: operation.summary ?? "",
        description: operation.description ?? "",
        parameters: (operation.parameters ?? []).map(({ name, in: where, required = false, description: text = "" }) => ({
          name, where, required: required || where === "path", text,
        })),
        body: schema ? JSON.stringify(exampleOf(schema, description), null, 2) : null,
        files: !schema && Object.keys(content).length > 0,
      };
    }),
  );
}

/** The smallest value that says how `schema` looks: what has to be there, and what has an example. */
export function exampleOf(schema, description, depth = 0) {
  const known = resolved(schema, description);
  if (known.examples?.length) return known.examples[0];
  if (known.example !== undefined) return known.example;
  if (known.const !== undefined) return known.const;
  if (known.enum) return known.enum[0];
  const choice = (known.anyOf ?? known.oneOf ?? []).find((each) => resolved(each, description).type !== "null");
  if (choice) return exampleOf(choice, description, depth);
  switch ([known.type].flat()[0]) {
    case "object": return objectOf(known, description, depth);
    case "array": return depth < DEEPEST && known.items && known.minItems ? [exampleOf(known.items, description, depth + 1)] : [];
    case "integer":
    case "number": return known.default ?? known.minimum ?? 1;
    case "boolean": return known.default ?? false;
    case "null": return null;
    default: return known.default ?? "";
  }
}

function objectOf({ properties = {}, required = [] }, description, depth) {
  if (depth >= DEEPEST) return {};
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name, schema]) => required.includes(name) || schema.examples || schema.example !== undefined)
      .map(([name, schema]) => [name, exampleOf(schema, description, depth + 1)]),
  );
}

function resolved(schema, description) {
  let known = schema ?? {};
  while (known.$ref) {
    known = known.$ref.slice(2).split("/").reduce((part, name) => part[name], description);
  }
  return known;
}

/** The request for an operation: { method, path, headers, body }. `values` has the parameters by name, `body` the text,
 *  `key` an API key or nothing. `missing` lists required parameters without a value. */
export function requestOf(operation, { values = {}, body = "", key = "" }) {
  const given = operation.parameters.filter(({ name }) => (values[name] ?? "") !== "");
  const missing = operation.parameters.filter(({ name, required }) => required && (values[name] ?? "") === "");
  const search = new URLSearchParams(given.filter(({ where }) => where === "query").map(({ name }) => [name, values[name]]));
  const path = operation.path.replace(/\{(\w+)\}/g, (whole, name) => encodeURIComponent(values[name] ?? "") || whole);
  const sent = operation.body !== null && body.trim() !== "";
  return {
    method: operation.method,
    path: `${path.slice(1)}${search.size ? `?${search}` : ""}`,
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(sent && { "content-type": "application/json" }),
      ...Object.fromEntries(given.filter(({ where }) => where === "header").map(({ name }) => [name.toLowerCase(), values[name]])),
    },
    ...(sent && { body }),
    missing: missing.map(({ name }) => name),
  };
}

/** Why `text` is no JSON, or null. */
export function jsonFault(text) {
  try {
    if (text.trim()) JSON.parse(text);
    return null;
  } catch (reason) {
    return reason.message;
  }
}
