"use strict";
// Sends one request of the API's, as its OpenAPI document describes it. All text is shown as text.
const at = (id) => document.getElementById(id);
let operations = [];

function element(name, members, ...children) {
  const made = Object.assign(document.createElement(name), members);
  made.append(...children);
  return made;
}

function field(parameter, place) {
  const id = `${place}-${parameter.name}`;
  const example = parameter.example ?? parameter.schema?.examples?.[0] ?? "";
  // What is required is filled in with its example; each request has an idempotency key of its own.
  const value = parameter.name === "Idempotency-Key" ? crypto.randomUUID() : parameter.required ? String(example) : "";
  const input = element("input", { id, value, required: parameter.required === true, placeholder: String(example), autocomplete: "off" });
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
  const { paths } = await (await fetch("../openapi.json")).json();
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
}

start();
