// Drops: upload a list, see its bad lines before anything is spent, then follow and pause it.
import { html, useEffect, useRef, useState } from "../preact.js";
import { call, get, newKey, query, request } from "../api.js";
import { streamAbout } from "../live.js";
import { Alert, Badge, Empty, Fact, Facts, Field, Loading, More, Progress, Title, download, ether, number, short, useAction, usePages, usePolled, when } from "../parts.js";

const ENDS = ["completed", "cancelled"];
const RESTS = ["draft", "prepared", "paused", ...ENDS];
const SHOWN = 50;
const DROP_EVENTS = streamAbout("drop");

const typeOf = (file) => (/\.csv$/i.test(file.name) ? "text/csv" : "application/x-ndjson");

const offset = async (drop) => (await get(`/v1/drops/${drop.drop_id}`)).lines.offset;

// Sends a file's bytes; those that arrived before an upload broke off are not sent again.
async function send(drop, file) {
  const from = await offset(drop);
  const headers = { "Content-Type": typeOf(file), "Upload-Offset": String(from), "Upload-Complete": "?1" };
  await call("PATCH", `/v1/drops/${drop.drop_id}/lines`, { body: file.slice(from, file.size, typeOf(file)), headers });
}

function Make() {
  const [name, setName] = useState("");
  const [contract, setContract] = useState("");
  const [file, setFile] = useState(null);
  const collections = usePages(() => "/v1/collections?limit=100", get, []);
  const key = useRef({ value: newKey(), body: null, file: null, drop: null });
  const action = useAction(async () => {
    const body = contract ? { name, contract } : { name };
    const text = JSON.stringify(body);
    const known = key.current;
    // Another name or collection is another drop; the same file goes on with an upload that broke off.
    const other = known.body !== null && known.body !== text;
    if (other || (known.drop && known.file !== file && (await offset(known.drop)) > 0)) Object.assign(known, { value: newKey(), drop: null });
    Object.assign(known, { body: text, file });
    known.drop ??= await call("POST", "/v1/drops", { body, headers: { "Idempotency-Key": known.value } });
    await send(known.drop, file);
    location.hash = `#/drops/${known.drop.drop_id}`;
  });
  const submit = (event) => {
    event.preventDefault();
    if (file !== null) action.run();
  };
  return html`<${Title}>New drop<//>
    <form class="card form" onSubmit=${submit}>
      <${Alert} problem=${action.problem} />
      <${Field} id="name" label="Name"><input id="name" required maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} autocomplete="off" /><//>
      <${Field} id="contract" label="Collection">
        <select id="contract" value=${contract} onChange=${(event) => setContract(event.target.value)}>
          <option value="">The deployment's own</option>
          ${(collections.items ?? []).filter((one) => one.status === "ready").map((one) => html`<option key=${one.contract} value=${one.contract}>${one.name} (${short(one.contract)})</option>`)}
        </select><//>
      <div class="field"><label for="lines">List</label>
        <div class="drop file"><p>${file ? html`<strong>${file.name}</strong>${number(file.size)} bytes` : html`<strong>Drop a list here</strong>or choose a file: CSV or NDJSON, up to 100,000 lines`}</p>
          <input id="lines" type="file" required accept=".csv,.ndjson,.jsonl" aria-describedby="lines-hint" onChange=${(event) => setFile(event.target.files[0] ?? null)} /></div>
        <p class="hint" id="lines-hint">CSV has a first row that names its columns, such as <code>email,name,image</code>. Nothing is minted or spent yet.</p></div>
      <div class="actions"><button class="primary" disabled=${action.busy || file === null}>${action.busy ? "Uploading…" : "Upload and check"}</button></div>
    </form>`;
}

// The refused lines as they come back, each with its number and what is wrong with it.
export function refusals(text, format) {
  if (format !== "csv") {
    return text.split("\n").filter(Boolean).flatMap((line) => {
      const { refused } = JSON.parse(line);
      return refused.errors.map((error) => ({ line: refused.line, pointer: error.pointer, reason: error.detail }));
    });
  }
  const [header, ...rows] = csv(text);
  const place = (name) => header.indexOf(name);
  return rows.map((row) => ({ line: row[place("line")], pointer: row[place("pointer")], reason: row[place("reason")] }));
}

// Rows of RFC 4180.
function csv(text) {
  const rows = [[""]];
  let quoted = false;
  for (let n = 0; n < text.length; n += 1) {
    const row = rows[rows.length - 1];
    const letter = text[n];
    if (quoted && letter === '"' && text[n + 1] === '"') {
      row[row.length - 1] += '"';
      n += 1;
    } else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ",") row.push("");
    else if (!quoted && letter === "\n") rows.push([""]);
    else if (quoted || letter !== "\r") row[row.length - 1] += letter;
  }
  return rows.filter((row) => row.length > 1 || row[0] !== "");
}

function Refused({ drop }) {
  const [lines, setLines] = useState(null);
  const [problem, setProblem] = useState(null);
  const path = `/v1/drops/${drop.drop_id}/refused`;
  const count = drop.lines.refused + drop.preparation.unresolved;
  useEffect(() => {
    request("GET", path)
      .then((response) => response.text())
      .then((text) => setLines(refusals(text, drop.lines.format)))
      .catch(setProblem);
  }, [path, count]);
  const save = useAction(async () => download(await request("GET", path), `refused.${drop.lines.format}`));
  return html`<section class="card" aria-labelledby="refused"><h2 id="refused">Lines that will not be minted</h2>
    <${Alert} problem=${problem ?? save.problem} />
    <p>${number(count)} of ${number(drop.lines.accepted + drop.lines.refused)} lines. The others are not affected. Correct these in a drop of their own.</p>
    ${lines === null && problem === null ? html`<${Loading} />` : null}
    ${lines
      ? html`<div class="scroll" tabindex="0" role="group" aria-labelledby="refused"><table>
          <thead><tr><th scope="col">Line</th><th scope="col">Where</th><th scope="col">What is wrong</th></tr></thead>
          <tbody>${lines.slice(0, SHOWN).map((one, n) => html`<tr key=${n}><td>${one.line}</td><td><code>${one.pointer}</code></td><td>${one.reason}</td></tr>`)}</tbody></table></div>`
      : null}
    <div class="actions"><button type="button" disabled=${save.busy} onClick=${() => save.run()}>Download these lines</button></div>
  </section>`;
}

function Estimate({ drop }) {
  const [estimate, setEstimate] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    call("POST", `/v1/drops/${drop.drop_id}/dry-run`).then(setEstimate).catch(setProblem);
  }, [drop.drop_id]);
  const level = { low: "Low", expected: "Expected", high: "High" };
  return html`<section class="card" aria-labelledby="estimate"><h2 id="estimate">What it will do</h2>
    <${Alert} problem=${problem} />
    ${estimate === null && problem === null ? html`<${Loading} what="Estimating" />` : null}
    ${estimate
      ? html`<${Facts}>
          <${Fact} name="Tokens">${number(estimate.tokens)}<//>
          <${Fact} name="New wallets">${estimate.wallets.exact ? number(estimate.wallets.to_make) : `about ${number(estimate.wallets.to_make)}`}<//>
          ${estimate.costs.map((cost) => html`<${Fact} key=${cost.level} name=${`Cost, ${level[cost.level].toLowerCase()}`}>${ether(cost.wei)}<//>`)}
        <//>`
      : null}
  </section>`;
}

function Buttons({ drop, action }) {
  const does = (name, text, kind = "") =>
    html`<button type="button" class=${kind} disabled=${action.busy} onClick=${() => action.run(name)}>${text}</button>`;
  return html`<div class="actions">
    ${drop.status === "draft" && drop.lines.accepted > 0 ? does("prepare", `Prepare ${number(drop.lines.accepted)} mints`, "primary") : null}
    ${drop.status === "prepared" ? does("start", `Start: mint ${number(drop.minting.lines ? drop.minting.tokens : drop.lines.tokens)} tokens`, "primary") : null}
    ${drop.status === "running" ? does("pause", "Pause") : null}
    ${drop.status === "paused" ? does("resume", "Resume", "primary") : null}
    ${ENDS.includes(drop.status) ? null : does("cancel", "Cancel this drop", "danger")}
  </div>`;
}

function Detail({ id }) {
  const path = `/v1/drops/${encodeURIComponent(id)}`;
  const { value: drop, problem, again } = usePolled((signal) => get(path, { signal }), [path], {
    every: 1500,
    live: DROP_EVENTS,
    concerns: (event) => event.resource.id === id,
    told: (known) => known.status === "running",
    until: (known) => RESTS.includes(known.status) && !(known.status === "completed" && unfinished(known)),
  });
  const action = useAction(async (name) => {
    await call("POST", `${path}/${name}`);
    again();
  });
  if (drop === null) return html`<${Title}>Drop<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  const mints = drop.minting.by_status;
  const final = mints.finalized ?? 0;
  const onChain = final + (mints.mined ?? 0);
  return html`<${Title} action=${html`<${Badge} status=${drop.status} />`}>${drop.name}<//>
    <${Alert} problem=${problem ?? action.problem} />
    ${drop.paused ? html`<div class="note"><p><strong>It is paused.</strong> ${drop.paused.reason} <code>${drop.paused.code}</code></p></div>` : null}
    <section class="card" aria-labelledby="progress"><h2 id="progress">Progress</h2>
      ${drop.status === "preparing"
        ? html`<${Progress} value=${drop.preparation.prepared} max=${drop.preparation.parts} label=${`${number(drop.preparation.prepared)} of ${number(drop.preparation.parts)} parts prepared`} />`
        : null}
      ${drop.started_at
        ? html`<${Progress} value=${onChain} max=${drop.minting.lines} label=${`${number(onChain)} of ${number(drop.minting.lines)} on chain, ${number(final)} final`} />`
        : null}
      <${Facts}>
        <${Fact} name="Lines">${number(drop.lines.accepted)} accepted, ${number(drop.lines.refused)} refused<//>
        <${Fact} name="Rate">${drop.minting.per_second ? `${drop.minting.per_second} a second` : ""}<//>
        <${Fact} name="Time left">${drop.minting.seconds_left && !ENDS.includes(drop.status) ? `about ${number(drop.minting.seconds_left)} seconds` : ""}<//>
        <${Fact} name="Cost so far">${drop.cost.lines ? `${ether(drop.cost.wei)} for ${number(drop.cost.lines)} lines, ${number(Math.round(drop.cost.gas / drop.cost.lines))} gas each` : ""}<//>
        <${Fact} name="By status">${Object.keys(mints).length ? html`${Object.entries(mints).map(([name, count]) => html`<span key=${name}><${Badge} status=${name} /> ${number(count)} </span>`)}` : ""}<//>
        <${Fact} name="Collection"><a href=${`#/collections/${drop.contract}`}><code>${short(drop.contract)}</code></a><//>
        <${Fact} name="Started">${when(drop.started_at)}<//>
        <${Fact} name="Ended">${when(drop.ended_at)}<//>
      <//>
      <${Buttons} drop=${drop} action=${action} />
    </section>
    ${drop.status === "draft" && drop.lines.accepted > 0 ? html`<${Estimate} drop=${drop} />` : null}
    ${drop.lines.refused + drop.preparation.unresolved > 0 ? html`<${Refused} drop=${drop} />` : null}`;
}

function unfinished(drop) {
  const ended = ["finalized", "rejected", "reverted"].reduce((sum, name) => sum + (drop.minting.by_status[name] ?? 0), 0);
  return ended < drop.minting.lines;
}

function List() {
  const pages = usePages((cursor) => query("/v1/drops", { limit: 25, cursor }), get, []);
  return html`<${Title} action=${html`<a class="button primary" href="#/drops/new">New drop</a>`}>Drops<//>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 && !pages.next ? html`<${Empty} title="No drops yet">A drop mints up to 100,000 tokens from one list. Those that your backends made are theirs, and are not listed here.<//>` : null}
    ${pages.items?.length
      ? html`<ul class="list card">${pages.items.map(
          (drop) => html`<li key=${drop.drop_id}><a href=${`#/drops/${drop.drop_id}`}><strong>${drop.name}</strong><${Badge} status=${drop.status} />
            <small>${number(drop.lines.accepted)} lines · ${when(drop.created_at)}</small></a></li>`,
        )}</ul>`
      : null}
    <${More} pages=${pages} />`;
}

export default function Drops({ rest }) {
  if (rest[0] === "new") return html`<${Make} />`;
  return rest.length ? html`<${Detail} id=${rest[0]} />` : html`<${List} />`;
}
