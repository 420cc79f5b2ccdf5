// The pipeline as operators see it: queues, blocks, what waits longest, and how long the money for gas lasts.
import { html, useState } from "../preact.js";
import { call, get } from "../api.js";
import { Alert, Badge, Confirm, Copy, Loading, Title, ether, number, short, useAction, usePolled, when } from "../parts.js";

const BEHIND = 10; // Blocks; an index that follows the chain is one or two behind.
const FEW_DAYS = 3;
const PARTS = {
  queues: "the queues", dead_letters: "dead letters", chain: "the chain", index: "the index", operations: "waiting operations",
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

const spoken = (name) => name.replaceAll("_", " ");
const plural = (count) => (count === 1 ? "1 message" : `${number(count)} messages`);

function Letter({ letter, readAt, busy, onAsk }) {
  return html`<li><div>
      <p><span class="badge bad">${letter.code}</span> ${letter.reason}</p>
      <p class="meta"><span>${letter.type ? spoken(letter.type) : "no message of ours"}</span><span>${age(letter.dead_lettered_at, readAt)} ago</span>
        ${letter.operation_id ? html`<${Copy} text=${letter.operation_id} shown=${short(letter.operation_id)} />` : null}
        ${letter.digest ? html`<span>digest <code>${letter.digest}</code></span>` : null}</p></div>
    <button type="button" disabled=${busy} aria-label=${`Send back: ${letter.type ?? "message"}, ${letter.code}`} onClick=${onAsk}>Send back</button></li>`;
}

function QueueLetters({ queue, letters, readAt, busy, onAsk }) {
  const count = queue.dead_letters;
  // Those that are shown, by their ids: a request that names none would send others when it is repeated.
  const ids = letters.map((letter) => letter.message_id);
  return html`<div class="head"><h3>${queue.name}: ${plural(count)}</h3>
      ${ids.length > 1 ? html`<button type="button" disabled=${busy} onClick=${() => onAsk(ids)}>Send ${count > ids.length ? "the first " : "all "}${number(ids.length)} back</button>` : null}</div>
    <ul class="letters">${letters.map(
      (letter) => html`<${Letter} key=${letter.message_id} letter=${letter} readAt=${readAt} busy=${busy} onAsk=${() => onAsk([letter.message_id])} />`,
    )}${count > letters.length ? html`<li><p class="meta">${plural(count - letters.length)} more${letters.length ? "" : ". Somebody else may hold them, for up to a minute"}.</p></li>` : null}</ul>`;
}

function outcomeOf({ queue, redriven, missing }) {
  const sent = redriven.length ? `${plural(redriven.length)} sent back to ${queue}.` : "Nothing was sent back.";
  return missing.length ? `${sent} ${plural(missing.length)} not found: already sent back, or held for up to a minute by somebody who looks at them.` : sent;
}

// Where the API may not receive messages, an operator who may does so by the command.
function Commands({ queues }) {
  return html`<p>The API cannot read them now. An operator who may see why, and send them back, does so by command:</p>
    <ul class="commands"><li><${Copy} text="mintline dlq list" /></li>
      ${queues.map((queue) => html`<li key=${queue.name}><${Copy} text=${`mintline dlq redrive ${queue.name} --all`} /></li>`)}</ul>`;
}

function DeadLetters({ pipeline, again }) {
  const dead = pipeline.queues?.filter((queue) => queue.dead_letters > 0) ?? [];
  const [asked, setAsked] = useState(null);
  const [outcome, setOutcome] = useState("");
  const action = useAction(async ({ queue, ids }) => {
    setOutcome("");
    const redriven = await call("POST", "/v1/pipeline/redrives", { body: { queue, message_ids: ids } });
    setOutcome(outcomeOf(redriven));
    again();
  });
  const said = html`<p role="status" class=${outcome ? "said" : ""}>${outcome}</p>`;
  if (dead.length === 0) return said;
  const known = pipeline.dead_letters;
  return html`<section class="card" aria-labelledby="dead"><h2 id="dead">Dead letters</h2>
    <p>Messages that are not tried again. Fix the cause, then send them back: every step drops what is already done. <code>docs/codes.md</code> explains the
      codes, <code>docs/dead-letters.md</code> what to do.</p>
    <${Alert} problem=${action.problem} />${said}
    ${!known ? html`<${Commands} queues=${dead} />` : dead.map(
      (queue) => html`<${QueueLetters} key=${queue.name} queue=${queue} letters=${known.filter((letter) => letter.queue === queue.name)} readAt=${pipeline.read_at}
        busy=${action.busy} onAsk=${(ids) => setAsked({ queue: queue.name, ids })} />`,
    )}
    ${asked === null ? null : html`<${Confirm} title=${`Send ${plural(asked.ids.length)} back to ${asked.queue}?`} action="Send back"
      onConfirm=${() => action.run(asked)} onClose=${() => setAsked(null)}>What still has its cause is dead-lettered again.<//>`}
  </section>`;
}

function reasonOf(operation, letters) {
  const letter = letters?.find((one) => one.message_id === operation.dead_letter);
  if (letter) return html`Its message is a dead letter: ${letter.reason} <code>${letter.code}</code>`;
  if (operation.waiting) return html`${operation.waiting.reason} <code>${operation.waiting.code}</code>`;
  return operation.status === "built" ? "Its transaction is being signed." : "It is in a queue.";
}

function Operations({ pipeline }) {
  const rows = pipeline.operations?.map(
    (one) => html`<tr key=${one.operation_id}><td>${age(one.created_at, pipeline.read_at)}</td><td>${spoken(one.kind)}</td>
      <td class="wide">${reasonOf(one, pipeline.dead_letters)}</td><td><${Copy} text=${one.operation_id} shown=${short(one.operation_id)} /></td></tr>`,
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
      <td>${spoken(one.kind)}${one.operations > 1 ? ` of ${number(one.operations)}` : ""}</td><td class="wide">${progressOf(one)}</td>
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
  const { value: pipeline, problem, again } = usePolled((signal) => get("/v1/pipeline", { signal }), [], { every: 3000, most: 1 });
  if (pipeline === null) return html`<${Title}>Pipeline<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  const missing = pipeline.missing.map((part) => PARTS[part] ?? part);
  return html`<${Title} action=${html`<span class="live">As of ${when(pipeline.read_at)}</span>`}>Pipeline<//>
    <${Alert} problem=${problem} />
    ${missing.length ? html`<div class="note" role="status"><p><strong>Not everything responded.</strong> Missing: ${missing.join(", ")}.</p></div>` : null}
    <${Figures} pipeline=${pipeline} />
    <${DeadLetters} pipeline=${pipeline} again=${again} />
    <${Queues} queues=${pipeline.queues} />
    <${Operations} pipeline=${pipeline} />
    <${Transactions} pipeline=${pipeline} />
    <${Senders} senders=${pipeline.senders} />`;
}
