// Requests to the API. A refusal is thrown as a Problem (RFC 9457).
import { accessToken, end } from "./session.js";

const ROOT = new URL("..", location.href.split(/[?#]/)[0]).href.replace(/\/$/, "");

export class Problem extends Error {
  constructor(status, document, retryAfter = null) {
    super(document.detail ?? document.title ?? "The request failed.");
    this.status = status;
    this.code = document.code ?? "";
    this.title = document.title ?? "";
    this.faults = document.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

export const newKey = () => crypto.randomUUID();

export async function request(method, path, { body, headers = {}, signal } = {}) {
  const token = await accessToken();
  const sent = { ...headers };
  if (token !== null) sent.Authorization = `Bearer ${token}`;
  const raw = body === undefined || typeof body === "string" || body instanceof Blob;
  if (!raw) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(ROOT + path, { method, headers: sent, body: raw ? body : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "No connection", detail: "The API cannot be reached. Try again in a moment." });
  }
  if (response.ok || response.status === 304) return response;
  const retry = Number(response.headers.get("Retry-After")) || null;
  const document = await response.json().catch(() => ({}));
  if (response.status === 401 && token !== null) end();
  throw new Problem(response.status, document, retry);
}

export async function call(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => call("GET", path, options);

export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

// Announces a file, puts its bytes into storage and completes it; `report` gets a fraction of 1.
export async function upload(file, report = () => {}) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const sha256 = `0x${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const announced = await call("POST", "/v1/uploads", { body: { content_type: file.type, size: file.size, sha256 } });
  await put(announced.put, file, report);
  return call("POST", `/v1/uploads/${announced.upload_id}/complete`);
}

function put({ method, url, headers }, file, report) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      // A browser sets the length itself, and lets no page set it.
      if (name.toLowerCase() !== "content-length") sending.setRequestHeader(name, value);
    }
    sending.upload.onprogress = (event) => report(event.loaded / event.total);
    sending.onload = () =>
      sending.status < 300
        ? resolve()
        : reject(new Problem(sending.status, { title: "Upload refused", detail: `The storage refused the file (${sending.status}).` }));
    sending.onerror = () => reject(new Problem(0, { title: "Upload failed", detail: "The file did not arrive. Try again." }));
    sending.send(file);
  });
}
