"use strict";
// Sends one request of the API's, as its OpenAPI document describes it. All text is shown as text.
const at = (id) => document.getElementById(id);
let operations = [];

function element(name, members, ...children) {
  const made = Object.assign(document.createElement(name), members);
  made.append(...children);
  return made;
}

// crypto.randomUUID is for secure contexts alone, and the page may be served by HTTP.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function field(parameter, place) {
  const id = `${place}-${parameter.name}`;
  const example = parameter.example ?? parameter.schema?.examples?.[0] ?? "";
  // What is required is filled in with its example; each request has an idempotency key of its own.
  const made = parameter.name === "Idempotency-Key" ? uuid() : "";
  const value = made || (parameter.required ? String(example) : "");
  const input = element("input", { id, value, required: parameter.required === true, placeholder: String(example), autocomplete: "off" });
  if (made) input.dataset.made = made;
  input.dataset.name = parameter.name;
  input.dataset.place = place;
  return element("p", {}, element("label", { htmlFor: id, textContent: `${parameter.name} (${place})` }), input);
}

function exampleOf(content) {
  const examples = Object.values(content.examples ?? {}).map((one) => one.value);
  const value = content.example ?? examples[0] ?? {};
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function show(operation) {
  at("summary").textContent = `${operation.method} ${operation.path}`;
  at("reference-link").href = `../docs#${operation.operationId}`;
  at("fields").replaceChildren(...(operation.parameters ?? []).map((one) => field(one, one.in)));
  const contents = Object.entries(operation.requestBody?.content ?? {});
  at("body-part").hidden = contents.length === 0;
  at("type").replaceChildren(...contents.map(([type]) => element("option", { value: type, textContent: type })));
  at("body").value = contents.length ? exampleOf(contents[0][1]) : "";
  at("response").hidden = true;
}

function requestOf(operation) {
  const headers = {};
  const query = new URLSearchParams();
  let path = operation.path;
  for (const { value, dataset } of at("fields").querySelectorAll("input")) {
    if (value === "") continue;
    if (dataset.place === "path") path = path.replace(`{${dataset.name}}`, encodeURIComponent(value));
    if (dataset.place === "query") query.append(dataset.name, value);
    if (dataset.place === "header") headers[dataset.name] = value;
  }
  const token = at("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = { method: operation.method, headers, cache: "no-store" };
  if (!at("body-part").hidden) {
    headers["Content-Type"] = at("type").value;
    options.body = at("body").value;
  }
  return [`..${path}${query.size ? `?${query}` : ""}`, options];
}

// The next request is another one, unless its key is the user's own or nobody knows what became of this one.
function renewKey(status) {
  if (status >= 500) return;
  for (const input of at("fields").querySelectorAll("input[data-made]")) {
    if (input.value === input.dataset.made) input.value = input.dataset.made = uuid();
  }
}

function pretty(text, type) {
  try {
    return type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

async function send(operation) {
  at("send").disabled = true;
  const began = performance.now();
  try {
    const [url, options] = requestOf(operation);
    const response = await fetch(url, options);
    const text = await response.text();
    renewKey(response.status);
    at("status").textContent = `${response.status} ${response.statusText} in ${Math.round(performance.now() - began)} ms`;
    at("headers").textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    at("answer").textContent = pretty(text, response.headers.get("content-type") ?? "");
  } catch (error) {
    at("status").textContent = `No response: ${error.message}`;
    at("headers").textContent = at("answer").textContent = "";
  } finally {
    at("response").hidden = false;
    at("send").disabled = false;
  }
}

async function start() {
  const response = await fetch("../openapi.json");
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { paths } = await response.json();
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ ...one, path, method: method.toUpperCase() })),
  );
  const groups = Map.groupBy(operations, (one) => one.tags[0]);
  at("operation").replaceChildren(
    ...[...groups].map(([tag, of]) =>
      element("optgroup", { label: tag }, ...of.map((one) => element("option", { value: one.operationId, textContent: `${one.method} ${one.path}: ${one.summary}` }))),
    ),
  );
  const chosen = () => operations.find((one) => one.operationId === at("operation").value);
  const named = () => {
    const wanted = decodeURIComponent(location.hash.slice(1));
    if (operations.some((one) => one.operationId === wanted)) at("operation").value = wanted;
    show(chosen());
  };
  addEventListener("hashchange", named);
  at("operation").addEventListener("change", () => history.replaceState(null, "", `#${at("operation").value}`) ?? show(chosen()));
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(chosen());
  });
  named();
  at("send").disabled = false;
}

start().catch((error) => {
  at("summary").textContent = `The OpenAPI document could not be read (${error.message}). Reload the page.`;
});
