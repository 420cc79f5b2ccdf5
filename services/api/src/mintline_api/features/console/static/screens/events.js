// What happened to what is mine: the newest events, and those to come.
import { html, useRef, useState } from "../preact.js";
import { get, query } from "../api.js";
import { streamOf, useStream } from "../live.js";
import { config } from "../session.js";
import { Alert, Badge, Empty, Field, Loading, Title, short, useAction, when } from "../parts.js";

// A position of the log is the number of a batch, and three digits for the place in it.
const PLACES = 1000;
const STEP = 10;
const MOST = 200;
const KEPT = 2000;

const positionOf = (sequence) => String(sequence).padStart(13, "0");
const before = (position, steps) => positionOf(Math.max(Math.floor(Number(position) / PLACES) - steps, 0) * PLACES);

// Returns the newest events up to a position, newest first and at most `MOST`, and the position that they begin after.
async function upTo(position, parameters) {
  const from = before(position, STEP);
  let found = [];
  let after = from;
  for (;;) {
    const page = await get(query("/v1/events", { ...parameters, after, limit: 100 }));
    found.push(...page.events.filter((event) => event.sequence <= Number(position)));
    after = page.next;
    if (!page.more || Number(after) >= Number(position)) break;
  }
  const cut = found.length > MOST;
  found = found.slice(-MOST).reverse();
  return { events: found, from: cut ? positionOf(found.at(-1).sequence - 1) : from };
}

const SCREENS = { mint: "mints", drop: "drops", collection: "collections", token: "token", webhook: "webhooks" };
const SEEN_BY = { user: ["mint", "token", "webhook"], operator: ["drop", "collection", "webhook"] };

function About({ resource, role }) {
  const shown = resource.type === "token" || /^0x/.test(resource.id) ? short(resource.id) : resource.id;
  if (!SEEN_BY[role].includes(resource.type)) return html`<span>${resource.type} <code>${shown}</code></span>`;
  return html`<a href=${`#/${SCREENS[resource.type]}/${resource.id}`}>${resource.type} <code>${shown}</code></a>`;
}

function Row({ event, role }) {
  const status = event.type.slice(event.type.indexOf(".") + 1);
  return html`<li><div class="event"><span><strong>${event.type}</strong> <${Badge} status=${status} /></span>
    <${About} resource=${event.resource} role=${role} /><small>${when(event.created_at)}</small></div>
    <details><summary>Data of ${event.type}, ${event.id.slice(0, 12)}</summary><pre tabindex="0" class="scroll" aria-label="Data of the event">${JSON.stringify(event.data, null, 2)}</pre></details></li>`;
}

function Log({ parameters, role }) {
  const [events, setEvents] = useState(null);
  const [broken, setBroken] = useState(null);
  const [lostAt, setLostAt] = useState(null);
  const [oldest, setOldest] = useState(null);
  const began = useRef(false);
  const known = useRef(new Set());
  const add = (more, place) => {
    const fresh = more.filter((event) => !known.current.has(event.sequence));
    for (const event of fresh) known.current.add(event.sequence);
    setEvents((old) => (place === "first" ? [...fresh, ...(old ?? [])].slice(0, KEPT) : [...(old ?? []), ...fresh]));
  };
  const earlier = useAction(async (to) => {
    const { events: older, from } = await upTo(to, parameters);
    add(older, "last");
    setOldest(from);
  });
  const types = parameters.type ? [parameters.type] : [];
  const open = useStream(streamOf(types, parameters.principal), ({ event, position, problem }) => {
    if (problem !== undefined) {
      setBroken(problem);
      setLostAt((at) => at ?? new Date().toISOString());
    }
    if (position !== undefined) {
      setBroken(null);
      setLostAt(null);
    }
    if (position !== undefined && !began.current) {
      began.current = true;
      earlier.run(position);
    }
    if (event) add([event], "first");
  });
  const state = open ? html`<${Badge} status="live" /> New events appear as they happen.`
    : lostAt && events !== null ? html`<${Badge} status="not live" /> The connection broke. What you see is as of ${when(lostAt)}; the rest follows when it is back.`
    : "Connecting…";
  return html`<p role="status" class="live">${state}</p>
    <${Alert} problem=${broken ?? earlier.problem} />
    ${events === null && !broken && !earlier.problem ? html`<${Loading} />` : null}
    ${events?.length === 0 ? html`<${Empty} title="No recent events">New ones appear here as they happen.<//>` : null}
    ${events?.length ? html`<ul class="list card">${events.map((event) => html`<${Row} key=${event.sequence} event=${event} role=${role} />`)}</ul>` : null}
    ${oldest !== null && Number(oldest) > 0
      ? html`<p class="more"><button type="button" disabled=${earlier.busy} onClick=${() => earlier.run(oldest)}>${earlier.busy ? "Loading…" : "Show earlier events"}</button></p>`
      : null}`;
}

export default function Events({ session }) {
  const [type, setType] = useState("");
  const [principal, setPrincipal] = useState("");
  return html`<${Title}>Events<//>
    <div class="filters">
      <${Field} id="type" label="Type"><select id="type" value=${type} onChange=${(event) => setType(event.target.value)}>
        <option value="">All</option>${config.event_types.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select><//>
      ${session.role === "operator"
        ? html`<${Field} id="log" label="Log"><select id="log" value=${principal} onChange=${(event) => setPrincipal(event.target.value)}>
            <option value="">Of this client</option><option value="operators">Of the operators</option></select><//>`
        : null}
    </div>
    <${Log} key=${`${type} ${principal}`} parameters=${{ type, principal }} role=${session.role} />`;
}
