// What several screens show. All text goes through Preact, which escapes it.
import { html, useCallback, useEffect, useRef, useState } from "./preact.js";
import { useStream } from "./live.js";
import { config } from "./session.js";

const SELDOM_MS = 15_000;

export const short = (hex) => (hex && hex.length > 14 ? `${hex.slice(0, 8)}…${hex.slice(-6)}` : hex ?? "");
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const whole = new Intl.NumberFormat();
export const when = (text) => (text ? date.format(new Date(text)) : "");
export const number = (value) => (value === null || value === undefined ? "" : whole.format(value));
export const ether = (wei) => {
  const value = Number(BigInt(wei) / 10n ** 9n) / 1e9;
  if (value === 0) return BigInt(wei) > 0n ? "under 1 Gwei" : "0 ETH";
  return `${value.toLocaleString(undefined, { maximumSignificantDigits: 4, maximumFractionDigits: 9 })} ETH`;
};

export function Title({ children, action }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${heading.current.textContent} · Mintline`;
  });
  return html`<header class="title"><h1 ref=${heading} tabindex="-1">${children}</h1>${action ?? null}</header>`;
}

const TONES = {
  finalized: "good", pending: "go", burned: "wait", completed: "good", ready: "good", enabled: "good", ok: "good", delivered: "good", live: "good",
  deployed: "good", started: "go", resumed: "go", progressed: "go", created: "good", linked: "good", transferred: "go", reorged: "warn",
  "not live": "warn", mined: "go", submitted: "go", running: "go", built: "go", issued: "go", accepted: "wait", preparing: "go",
  deploying: "go", prepared: "wait", draft: "wait", paused: "warn", waiting: "warn", frozen: "wait",
  rejected: "bad", reverted: "bad", failed: "bad", cancelled: "bad", disabled: "bad",
};

export function Badge({ status }) {
  return html`<span class=${`badge ${TONES[status] ?? "wait"}`}>${status}</span>`;
}

export function Alert({ problem, children }) {
  if (!problem && !children) return null;
  return html`<div class="alert" role="alert">
    ${problem ? html`<p><strong>${problem.title || "This did not work."}</strong> ${problem.message}</p>` : null}
    ${problem?.seenAt ? html`<p>What you see is as of ${when(problem.seenAt)}.</p>` : null}
    ${problem?.faults?.length
      ? html`<ul>${problem.faults.map((fault) => html`<li><code>${fault.pointer ?? fault.parameter ?? ""}</code> ${fault.detail}</li>`)}</ul>`
      : null}
    ${children}
  </div>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;
}

export function Loading({ what = "Loading" }) {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${what}…</p>`;
}

export function Facts({ children }) {
  return html`<dl class="facts">${children}</dl>`;
}

export function Fact({ name, children }) {
  if (children === null || children === undefined || children === "") return null;
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

export function Copy({ text, shown }) {
  const [copied, setCopied] = useState(false);
  const copy = useCallback(async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  }, [text]);
  if (!text) return null;
  return html`<span class="copy"><code title=${text}>${shown ?? text}</code>
    <button type="button" class="quiet small" onClick=${copy} aria-label=${`Copy ${text}`}>${copied ? "Copied" : "Copy"}</button></span>`;
}

export function Field({ id, label, hint, children }) {
  return html`<div class="field"><label for=${id}>${label}</label>${children}${hint ? html`<p class="hint" id=${`${id}-hint`}>${hint}</p>` : null}</div>`;
}

export function Progress({ value, max, label }) {
  return html`<div class="progress"><progress value=${value} max=${max || 1} aria-label=${label}></progress><span>${label}</span></div>`;
}

const loads = (url) => url.startsWith("data:image/") || url.startsWith("blob:") || url.startsWith(config.media_url);

// A picture that the page may load: our own, and data. Of others the host is named, and nothing is fetched.
export function Picture({ source, name }) {
  const url = typeof source === "string" ? source : "";
  const [failed, setFailed] = useState(false);
  useEffect(() => setFailed(false), [url]);
  const loadable = loads(url);
  if (loadable && !failed) {
    return html`<img class="picture" src=${url} alt=${name} loading="lazy" onError=${() => setFailed(true)} />`;
  }
  let host = "";
  try {
    host = new URL(url).host || url.split(":")[0];
  } catch {
    host = "";
  }
  return html`<div class="picture none" role="img" aria-label=${`${name}: picture not shown`}><span>${host ? `Picture at ${host}` : "No picture"}</span></div>`;
}

// A link to a picture that the page does not load: its owner learns of a visit only when it is followed.
export function Elsewhere({ source }) {
  if (typeof source !== "string" || loads(source) || !/^https?:/i.test(source)) return null;
  return html`<p class="hint"><a href=${source} target="_blank" rel="noreferrer noopener">Open the picture in a new tab</a></p>`;
}

// Reads something again and again while the page is visible: `every` ms, and up to `most` times that while
// nothing changes or the API does not respond. What was read before a problem stays, and the problem says when.
// With `live`, a stream of events, it is read when one of them `concerns` it; and as long as the stream is open
// and `told` says that events tell of the next change, seldom else.
export function usePolled(read, keys, { every = 3000, most = 8, until = () => false, live = null, concerns, told = () => true } = {}) {
  const [state, setState] = useState({ value: null, problem: null });
  const [round, setRound] = useState(0);
  const wake = useRef(() => {});
  const seenAt = useRef(null);
  const open = useStream(live, ({ event, position }) => {
    if (position !== undefined || (event && concerns(event))) wake.current();
  });
  const isOpen = useRef(open);
  isOpen.current = open;
  useEffect(() => {
    let stopped = false;
    let timer = null;
    let reading = false;
    let asked = false;
    let pause = every;
    let before = "";
    const aborter = new AbortController();
    function later(value) {
      const seldom = isOpen.current && value !== null && told(value);
      timer = setTimeout(turn, asked ? 0 : seldom ? Math.max(pause, SELDOM_MS) : pause);
    }
    async function turn() {
      if (document.hidden) {
        timer = setTimeout(turn, every);
        return;
      }
      reading = true;
      asked = false;
      let value = null;
      try {
        value = await read(aborter.signal);
        if (stopped) return;
        const text = JSON.stringify(value);
        pause = text === before ? Math.min(pause * 1.5, every * most) : every;
        before = text;
        seenAt.current = new Date().toISOString();
        setState({ value, problem: null });
        if (until(value)) {
          stopped = true;
          return;
        }
      } catch (problem) {
        if (stopped || problem.name === "AbortError") return;
        problem.seenAt = seenAt.current;
        setState((known) => ({ value: known.value, problem }));
        if (problem.status === 404 || problem.status === 401 || problem.status === 403) {
          stopped = true;
          return;
        }
        pause = Math.min(pause * 2, every * most);
      } finally {
        reading = false;
      }
      later(value);
    }
    wake.current = () => {
      asked = true;
      if (stopped || reading) return;
      clearTimeout(timer);
      turn();
    };
    turn();
    return () => {
      stopped = true;
      clearTimeout(timer);
      aborter.abort();
    };
  }, [...keys, round]);
  const again = useCallback(() => setRound((n) => n + 1), []);
  return { ...state, again };
}

// Pages of a list, the first at once and more on request. `pathOf` gets a cursor, or null.
export function usePages(pathOf, read, keys) {
  const [state, setState] = useState({ items: null, next: null, problem: null, busy: true });
  const load = useCallback(async (cursor, known) => {
    setState((old) => ({ ...old, busy: true }));
    try {
      const page = await read(pathOf(cursor));
      setState({ items: [...known, ...page.items], next: page.next_cursor ?? null, problem: null, busy: false });
    } catch (problem) {
      setState((old) => ({ ...old, items: known.length ? known : old.items, problem, busy: false }));
    }
  }, keys);
  useEffect(() => {
    load(null, []);
  }, [load]);
  const more = useCallback(() => load(state.next, state.items), [load, state]);
  return { ...state, more, again: useCallback(() => load(null, []), [load]) };
}

export function More({ pages }) {
  if (!pages.next) return null;
  return html`<p class="more"><button type="button" onClick=${pages.more} disabled=${pages.busy}>${pages.busy ? "Loading…" : "Show more"}</button></p>`;
}

// Runs one action at a time and keeps its problem.
export function useAction(action) {
  const [state, setState] = useState({ busy: false, problem: null });
  const latest = useRef(action);
  latest.current = action;
  const run = useCallback(async (...given) => {
    setState({ busy: true, problem: null });
    try {
      const outcome = await latest.current(...given);
      setState({ busy: false, problem: null });
      return outcome;
    } catch (problem) {
      setState({ busy: false, problem });
      return undefined;
    }
  }, []);
  return { ...state, run };
}

// Asks before something is done. The dialog is the browser's own: it keeps the focus, closes by Escape, and gives the focus back.
export function Confirm({ title, action, children, onConfirm, onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  const confirm = () => {
    dialog.current.close();
    onConfirm();
  };
  return html`<dialog ref=${dialog} aria-labelledby="confirm-title" onClose=${onClose}>
    <h2 id="confirm-title">${title}</h2>
    <p>${children}</p>
    <div class="actions">
      <button type="button" class="primary" onClick=${confirm}>${action}</button>
      <button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
    </div>
  </dialog>`;
}

export async function download(response, name) {
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
