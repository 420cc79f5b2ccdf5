// What I asked for, and one mint on its way to the chain.
import { html, useEffect, useState } from "../preact.js";
import { call, get, query } from "../api.js";
import { Alert, Badge, Copy, Empty, Fact, Facts, Loading, More, Picture, Title, number, short, useAction, usePages, usePolled, when } from "../parts.js";
import { previews } from "./mint.js";

const ENDS = ["finalized", "rejected", "reverted"];
const STAGES = [
  ["accepted", "Accepted", "It is on record and will not be lost."],
  ["built", "Built", "Its transaction is prepared: nonce, gas and fees."],
  ["submitted", "Submitted", "It is signed and sent to the chain."],
  ["mined", "Mined", "It is in a block."],
  ["finalized", "Final", "The block cannot be undone any more."],
];
const STATUSES = ["accepted", "built", "issued", "submitted", "mined", "finalized", "rejected", "reverted"];

export function Stages({ mint }) {
  const bad = mint.status === "rejected" || mint.status === "reverted";
  const reached = STAGES.filter(([name]) => mint.timeline[`${name}_at`]).length;
  return html`<ol class="stages" aria-label="Stages">
    ${STAGES.map(([name, title, text], place) => {
      const at = mint.timeline[`${name}_at`];
      const state = at ? "done" : !bad && place === reached ? "now" : "";
      return html`<li key=${name} class=${`stage ${state}`} aria-current=${state === "now" ? "step" : null}>
        <strong>${title}</strong><span>${at ? when(at) : bad ? "Not reached" : state === "now" ? text : "Later"}</span>
      </li>`;
    })}
  </ol>`;
}

function Detail({ id }) {
  const { value: mint, problem, again } = usePolled(
    (signal) => get(`/v1/mints/${encodeURIComponent(id)}`, { signal }),
    [id],
    { every: 1000, until: (known) => ENDS.includes(known.status) },
  );
  const [shown, setShown] = useState(previews.get(id) ?? null);
  const cancel = useAction(async () => {
    await call("POST", `/v1/mints/${encodeURIComponent(id)}/cancel`);
    again();
  });
  const onChain = mint !== null && (mint.status === "mined" || mint.status === "finalized");
  useEffect(() => {
    if (!onChain || shown !== null) return;
    get(`/v1/metadata/${mint.contract}/${mint.token_id}`)
      .then((metadata) => setShown({ name: metadata.name, url: metadata.image }))
      .catch(() => {});
  }, [onChain]);
  if (mint === null && problem === null) return html`<${Title}>Mint<//><${Loading} />`;
  if (mint === null) return html`<${Title}>Mint<//><${Alert} problem=${problem} />`;
  const bad = mint.status === "rejected" || mint.status === "reverted";
  const stopping = mint.timeline.cancel_requested_at && !ENDS.includes(mint.status);
  return html`<${Title} action=${html`<${Badge} status=${mint.status} />`}>${shown?.name ?? "Mint"}<//>
    <div aria-live="polite" class="sr">
      ${bad && mint.problem ? html`<div class="alert"><p><strong>This mint ended without a token.</strong> ${mint.problem.reason} <code>${mint.problem.code}</code></p></div>` : null}
      ${mint.waiting ? html`<div class="note"><p><strong>It waits.</strong> ${mint.waiting.reason} <code>${mint.waiting.code}</code></p></div>` : null}
      ${stopping ? html`<div class="note"><p>You asked to stop it. Until it is rejected, it may still be mined.</p></div>` : null}
    </div>
    <${Alert} problem=${problem ?? cancel.problem} />
    <div class="split">
      <div class="framed"><${Picture} source=${shown?.url} name=${shown?.name ?? "Token"} /></div>
      <div>
        <section class="card" aria-labelledby="stages"><h2 id="stages">Progress</h2><${Stages} mint=${mint} />
          <div class="actions">
            ${mint.status === "finalized" || mint.status === "mined"
              ? html`<a class="button primary" href=${`#/token/${mint.contract}/${mint.token_id}`}>See the token</a>`
              : null}
            ${!ENDS.includes(mint.status) && mint.status !== "mined" && !mint.timeline.cancel_requested_at
              ? html`<button type="button" class="danger" disabled=${cancel.busy} onClick=${() => cancel.run()}>Cancel this mint</button>`
              : null}
            <a class="button" href="#/mint">Mint another</a>
          </div>
        </section>
        <section class="card" aria-labelledby="facts"><h2 id="facts">Facts</h2><${Facts}>
          <${Fact} name="Recipient"><${Copy} text=${mint.to} shown=${short(mint.to)} /><//>
          <${Fact} name="Collection"><${Copy} text=${mint.contract} shown=${short(mint.contract)} /><//>
          <${Fact} name="Token">${mint.token_id ? `№ ${mint.token_id}` : ""}<//>
          <${Fact} name="Transaction">${mint.tx_hash ? html`<${Copy} text=${mint.tx_hash} shown=${short(mint.tx_hash)} />` : ""}<//>
          <${Fact} name="Block">${mint.block_number === null ? "" : number(mint.block_number)}<//>
          <${Fact} name="Mint"><${Copy} text=${mint.mint_id} /><//>
        <//></section>
      </div>
    </div>`;
}

function List() {
  const [status, setStatus] = useState("");
  const pages = usePages((cursor) => query("/v1/mints", { limit: 25, status, cursor }), get, [status]);
  return html`<${Title} action=${html`<a class="button primary" href="#/mint">Mint</a>`}>Mints<//>
    <div class="field narrow"><label for="status">Status</label>
      <select id="status" value=${status} onChange=${(event) => setStatus(event.target.value)}>
        <option value="">All</option>${STATUSES.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></div>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 && !pages.next ? html`<${Empty} title="No mints yet">What you mint is listed here.<//>` : null}
    ${pages.items?.length
      ? html`<ul class="list card">${pages.items.map(
          (mint) => html`<li key=${mint.mint_id}><a href=${`#/mints/${mint.mint_id}`}>
            <strong>${mint.token_id ? `№ ${mint.token_id}` : mint.mint_id}</strong><${Badge} status=${mint.status} />
            <small>${when(mint.timeline.accepted_at)} · to ${short(mint.to)}</small></a></li>`,
        )}</ul>`
      : null}
    <${More} pages=${pages} />`;
}

export default function Mints({ rest }) {
  return rest.length ? html`<${Detail} id=${rest[0]} />` : html`<${List} />`;
}
