// The event log as it goes on (server-sent events): one connection for each address, while somebody listens.
// EventSource sends no Authorization, so the stream is read here (HTML standard, 9.2).
import { useEffect, useRef, useState } from "./preact.js";
import { query, request } from "./api.js";
import { config } from "./session.js";

const RETRY_MS = 1000;
const RETRY_MOST_MS = 30_000;
const SILENCE_MS = 45_000; // The API sends a comment every 15 seconds.
const streams = new Map();

export const streamOf = (types, principal) => query("/v1/events", { type: types.join(","), principal });
export const streamAbout = (resource) => streamOf(config.event_types.filter((type) => type.startsWith(`${resource}.`)));

// Calls `listener` with {position} when the stream is open, {event} for each event, {problem} when it broke.
export function listen(path, listener) {
  let stream = streams.get(path);
  if (!stream) {
    stream = { listeners: new Set(), position: null, open: false, aborter: new AbortController() };
    streams.set(path, stream);
    run(path, stream);
  }
  stream.listeners.add(listener);
  if (stream.open) listener({ position: stream.position });
  return () => {
    stream.listeners.delete(listener);
    if (stream.listeners.size > 0) return;
    streams.delete(path);
    stream.aborter.abort();
  };
}

function say(stream, told) {
  for (const listener of [...stream.listeners]) listener(told);
}

async function run(path, stream) {
  let pause = RETRY_MS;
  while (!stream.aborter.signal.aborted) {
    let problem = null;
    try {
      await read(path, stream, () => (pause = RETRY_MS));
    } catch (error) {
      problem = error;
    }
    if (stream.aborter.signal.aborted) return;
    stream.open = false;
    say(stream, { problem });
    if ([401, 403].includes(problem?.status)) return;
    await new Promise((resolve) => setTimeout(resolve, (problem?.retryAfter ?? 0) * 1000 || pause));
    pause = Math.min(pause * 2, RETRY_MOST_MS);
  }
}

// Reads one connection to its end, which the API's stop or a proxy makes. One that is silent is cut off.
async function read(path, stream, onOpen) {
  const headers = { Accept: "text/event-stream" };
  if (stream.position !== null) headers["Last-Event-ID"] = stream.position;
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  stream.aborter.signal.addEventListener("abort", abort);
  let silence = setTimeout(abort, SILENCE_MS);
  try {
    const response = await request("GET", path, { headers, signal: aborter.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) take(stream, block, onOpen);
    }
  } finally {
    clearTimeout(silence);
    stream.aborter.signal.removeEventListener("abort", abort);
  }
}

function take(stream, block, onOpen) {
  const fields = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  if (fields.id) stream.position = fields.id;
  if (!stream.open) {
    stream.open = true;
    onOpen();
    say(stream, { position: stream.position });
  }
  if (fields.data) say(stream, { event: JSON.parse(fields.data) });
}

// Listens while a component is shown; `path` may be null. Returns whether the stream is open.
export function useStream(path, listener) {
  const [open, setOpen] = useState(false);
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    setOpen(false);
    if (path === null) return undefined;
    return listen(path, (told) => {
      if (told.position !== undefined) setOpen(true);
      if (told.problem !== undefined) setOpen(false);
      latest.current(told);
    });
  }, [path]);
  return open;
}
