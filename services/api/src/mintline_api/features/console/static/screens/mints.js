// What I asked for, and one mint on its way to the chain.
import { html, useEffect, useState } from "../preact.js";
import { call, get, query } from "../api.js";
import { sendTransaction, useBrowserWallets } from "../browser_wallets.js";
import { streamAbout } from "../live.js";
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
const OWN_STAGES = [
  STAGES[0],
  ["built", "Built", "Its voucher is prepared."],
  ["issued", "Issued", "Its voucher is signed: your wallet may mint it."],
  ["mined", "Mined", "It is in a block."],
  STAGES[4],
];
const MINT_EVENTS = streamAbout("mint");
// From here on each change is an event; that a mint is built, issued or waits is none.
const TOLD = ["issued", "submitted", "mined"];
const SENDERS = { custodial: "your wallet in custody", self: "a wallet of your own", sponsored: "the platform" };
const STATUSES = ["accepted", "built", "issued", "submitted", "mined", "finalized", "rejected", "reverted"];

export function Stages({ mint }) {
  const bad = mint.status === "rejected" || mint.status === "reverted";
  const stages = mint.custody === "self" ? OWN_STAGES : STAGES;
  const reached = stages.filter(([name]) => mint.timeline[`${name}_at`]).length;
  return html`<ol class="stages" aria-label="Stages">
    ${stages.map(([name, title, text], place) => {
      const at = mint.timeline[`${name}_at`];
      const state = at ? "done" : !bad && place === reached ? "now" : "";
      return html`<li key=${name} class=${`stage ${state}`} aria-current=${state === "now" ? "step" : null}>
        <strong>${title}</strong><span>${at ? when(at) : bad ? "Not reached" : state === "now" ? text : "Later"}</span>
      </li>`;
    })}
  </ol>`;
}

// The step that only the user's own wallet can do: it sends the transaction that redeems the voucher.
function Redeem({ mint, again }) {
  const wallets = useBrowserWallets();
  const [sent, setSent] = useState(null);
  const sending = useAction(async (provider) => {
    setSent(await sendTransaction(provider, mint));
    again();
  });
  return html`<section class="card" aria-labelledby="redeem"><h2 id="redeem">Your wallet mints it</h2>
    <${Alert} problem=${sending.problem} />
    ${sent
      ? html`<p role="status">Sent: <${Copy} text=${sent} shown=${short(sent)} /></p>`
      : html`<p>The token is reserved for <code>${short(mint.to)}</code> until ${when(mint.self_custody.voucher.expires_at)}. Send the
          transaction by that wallet; it pays the gas.</p>
        <div class="actions">${wallets.map(
          ({ info, provider }) => html`<button type="button" class="primary" key=${info.uuid} disabled=${sending.busy} onClick=${() => sending.run(provider)}>Send by ${info.name}</button>`,
        )}</div>
        ${wallets.length ? null : html`<p class="hint">No wallet extension announces itself in this browser (EIP-6963). Any program can send it: see <a href="../docs">the API reference</a>.</p>`}`}
  </section>`;
}

function Detail({ id }) {
  const { value: mint, problem, again } = usePolled(
    (signal) => get(`/v1/mints/${encodeURIComponent(id)}`, { signal }),
    [id],
    {
      every: 1000,
      live: MINT_EVENTS,
      concerns: (event) => event.resource.id === id,
      told: (known) => TOLD.includes(known.status),
      until: (known) => ENDS.includes(known.status),
    },
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
        ${mint.status === "issued" && mint.self_custody?.transaction ? html`<${Redeem} mint=${mint} again=${again} />` : null}
        <section class="card" aria-labelledby="facts"><h2 id="facts">Facts</h2><${Facts}>
          <${Fact} name="Sent by">${SENDERS[mint.custody]}<//>
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
