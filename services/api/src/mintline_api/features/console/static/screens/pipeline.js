// The pipeline as operators see it: queues, blocks, what waits longest, and how long the money for gas lasts.
import { html } from "../preact.js";
import { get } from "../api.js";
import { Alert, Badge, Copy, Loading, Title, ether, number, short, usePolled, when } from "../parts.js";

const BEHIND = 10; // Blocks; an index that follows the chain is one or two behind.
const FEW_DAYS = 3;
const PARTS = {
  queues: "the queues", chain: "the chain", index: "the index", operations: "waiting operations",
  transactions: "open transactions", senders: "balances",
};
const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

function age(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return `${Math.floor(seconds / length)} ${unit}`;
}

function Figure({ name, value, note, tone }) {
  return html`<div class=${`figure ${tone ?? ""}`}><dt>${name}</dt><dd><strong>${value ?? "–"}</strong>${note ? html` <span>${note}</span>` : null}</dd></div>`;
}

function Figures({ pipeline }) {
  const { blocks, queues } = pipeline;
  const dead = queues?.reduce((sum, queue) => sum + queue.dead_letters, 0);
  const late = blocks.behind > BEHIND;
  return html`<dl class="figures">
    <${Figure} name="Chain" value=${blocks.head === null ? null : number(blocks.head)} note="latest block" />
    <${Figure} name="Index" value=${blocks.indexed === null ? null : number(blocks.indexed)} tone=${late ? "warn" : ""}
      note=${blocks.behind === null ? "" : blocks.behind === 0 ? "up to date" : `${number(blocks.behind)} behind`} />
    <${Figure} name="Final" value=${blocks.finalized === null ? null : number(blocks.finalized)}
      note=${blocks.indexed === null ? "" : `${number(blocks.indexed - blocks.finalized)} before the index`} />
    <${Figure} name="Dead letters" value=${dead === undefined ? null : number(dead)} tone=${dead ? "bad" : ""} note=${dead ? "to be looked at" : ""} />
  </dl>`;
}

function Table({ id, title, heads, rows, empty }) {
  if (!rows) return null;
  return html`<section class="card" aria-labelledby=${id}><h2 id=${id}>${title}</h2>
    ${rows.length === 0
      ? html`<p class="none">${empty}</p>`
      : html`<div class="scroll" tabindex="0" role="group" aria-labelledby=${id}><table>
          <thead><tr>${heads.map(([head, kind]) => html`<th scope="col" class=${kind ?? ""}>${head}</th>`)}</tr></thead>
          <tbody>${rows}</tbody></table></div>`}
  </section>`;
}

function Queues({ queues }) {
  const rows = queues?.map(
    (queue) => html`<tr key=${queue.name}><th scope="row">${queue.name}</th><td class="number">${number(queue.waiting)}</td>
      <td class="number">${number(queue.in_flight)}</td><td class="number">${queue.dead_letters ? html`<span class="badge bad">${number(queue.dead_letters)}</span>` : "0"}</td></tr>`,
  );
  return html`<${Table} id="queues" title="Queues" heads=${[["Queue"], ["Waiting", "number"], ["In flight", "number"], ["Dead letters", "number"]]} rows=${rows} />`;
}

// The console may not receive messages: an operator who may does so by the command.
function DeadLetters({ queues }) {
  const dead = queues?.filter((queue) => queue.dead_letters > 0) ?? [];
  if (dead.length === 0) return null;
  return html`<section class="card" aria-labelledby="dead"><h2 id="dead">Dead letters</h2>
    <p>These messages were dead-lettered. See why, fix the cause, then send them back.</p>
    <ul class="commands"><li><${Copy} text="mintline dlq list" /></li>
      ${dead.map((queue) => html`<li key=${queue.name}><${Copy} text=${`mintline dlq redrive ${queue.name} --all`} /></li>`)}</ul>
  </section>`;
}

function reasonOf(operation) {
  if (operation.waiting) return html`${operation.waiting.reason} <code>${operation.waiting.code}</code>`;
  return operation.status === "built" ? "Its transaction is being signed." : "It is in a queue.";
}

function Operations({ pipeline }) {
  const rows = pipeline.operations?.map(
    (one) => html`<tr key=${one.operation_id}><td>${age(one.created_at, pipeline.read_at)}</td><td>${one.kind.replace("_", " ")}</td>
      <td class="wide">${reasonOf(one)}</td><td><${Copy} text=${one.operation_id} shown=${short(one.operation_id)} /></td></tr>`,
  );
  return html`<${Table} id="operations" title="Waits longest" heads=${[["For"], ["Kind"], ["Why"], ["Id"]]} rows=${rows}
    empty="Nothing waits for a transaction." />`;
}

function progressOf(one) {
  if (one.filling) return "Its nonce is filled by a transaction that does nothing.";
  if (one.state === "reserved") return "Not signed yet.";
  if (one.state === "mined") return "In a block that is not final.";
  return one.attempts > 1 ? `Sent ${number(one.attempts)} times, each time for a higher fee.` : "Sent, and not in a block.";
}

function Transactions({ pipeline }) {
  const rows = pipeline.transactions?.map(
    (one) => html`<tr key=${`${one.sender} ${one.nonce}`}><td>${age(one.reserved_at, pipeline.read_at)}</td><td><${Badge} status=${one.state} /></td>
      <td>${one.kind.replace("_", " ")}${one.operations > 1 ? ` of ${number(one.operations)}` : ""}</td><td class="wide">${progressOf(one)}</td>
      <td><${Copy} text=${one.sender} shown=${short(one.sender)} /> № ${one.nonce}</td></tr>`,
  );
  return html`<${Table} id="transactions" title="Open transactions" heads=${[["For"], ["State"], ["Kind"], ["Progress"], ["Sender and nonce"]]} rows=${rows}
    empty="Every transaction is final." />`;
}

function Left({ days }) {
  if (days === null) return "Nothing was spent";
  const tone = days < 1 ? "bad" : days < FEW_DAYS ? "warn" : "good";
  return html`<span class=${`badge ${tone}`}>${days > 999 ? "over 999" : days.toLocaleString(undefined, { maximumFractionDigits: days < 10 ? 1 : 0 })} ${days === 1 ? "day" : "days"}</span>`;
}

function Senders({ senders }) {
  const rows = senders?.map(
    (one) => html`<tr key=${`${one.role} ${one.address}`}><th scope="row">${one.role === "treasury" ? "Treasury" : "Relayer"}</th>
      <td><${Copy} text=${one.address} shown=${short(one.address)} /></td><td class="number">${ether(one.balance)}</td>
      <td class="number">${number(one.transactions)}</td><td class="number">${ether(one.per_day)}</td><td class="number"><${Left} days=${one.days_left} /></td></tr>`,
  );
  return html`<${Table} id="senders" title="Gas money" rows=${rows} empty="The API knows of no treasury and no relayer."
    heads=${[["Key"], ["Address"], ["Balance", "number"], ["Sent in 24 h", "number"], ["A day", "number"], ["Lasts", "number"]]} />`;
}

export default function Pipeline() {
  const { value: pipeline, problem } = usePolled((signal) => get("/v1/pipeline", { signal }), [], { every: 3000, most: 1 });
  if (pipeline === null) return html`<${Title}>Pipeline<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  const missing = pipeline.missing.map((part) => PARTS[part] ?? part);
  return html`<${Title} action=${html`<span class="live">As of ${when(pipeline.read_at)}</span>`}>Pipeline<//>
    <${Alert} problem=${problem} />
    ${missing.length ? html`<div class="note" role="status"><p><strong>Not everything responded.</strong> Missing: ${missing.join(", ")}.</p></div>` : null}
    <${Figures} pipeline=${pipeline} />
    <${DeadLetters} queues=${pipeline.queues} />
    <${Queues} queues=${pipeline.queues} />
    <${Operations} pipeline=${pipeline} />
    <${Transactions} pipeline=${pipeline} />
    <${Senders} senders=${pipeline.senders} />`;
}
