// One token: its picture, its history and its proof.
import { html } from "../preact.js";
import { get, query, request } from "../api.js";
import { Alert, Badge, Copy, Elsewhere, Fact, Facts, Loading, More, Picture, Title, download, number, short, useAction, usePages, usePolled, when } from "../parts.js";

function History({ path }) {
  const pages = usePages((cursor) => query(`${path}/transfers`, { limit: 20, cursor }), get, [path]);
  const verb = (transfer) => (transfer.from === null ? "Minted" : transfer.to === null ? "Burned" : "Transferred");
  return html`<section class="card" aria-labelledby="history"><h2 id="history">History</h2>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null ? html`<${Loading} />` : null}
    <ol class="stages">${(pages.items ?? []).map(
      (transfer) => html`<li class="stage done" key=${`${transfer.block_number}/${transfer.log_index}`}>
        <strong>${verb(transfer)} ${transfer.to ? html`to <code>${short(transfer.to)}</code>` : null}</strong>
        <span>${when(transfer.timestamp)} · block ${number(transfer.block_number)}</span></li>`,
    )}</ol><${More} pages=${pages} /></section>`;
}

export default function Token({ rest }) {
  const path = `/v1/tokens/${encodeURIComponent(rest[0] ?? "")}/${encodeURIComponent(rest[1] ?? "")}`;
  const { value: token, problem } = usePolled((signal) => get(path, { signal }), [path], {
    every: 3000,
    until: (known) => known.finality === "finalized",
  });
  const proof = useAction(async () => download(await request("GET", `${path}/proof`), `receipt-${rest[1]}.json`));
  if (token === null) return html`<${Title}>Token<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  const about = token.metadata ?? {};
  const traits = Array.isArray(about.attributes) ? about.attributes : [];
  return html`<${Title} action=${html`<${Badge} status=${token.burned ? "burned" : token.finality} />`}>${about.name ?? `Token ${token.token_id}`}<//>
    <${Alert} problem=${problem ?? proof.problem} />
    <div class="split">
      <div><div class="framed"><${Picture} source=${about.image} name=${about.name ?? "Token"} /></div><${Elsewhere} source=${about.image} /></div>
      <div>
        <section class="card" aria-labelledby="about"><h2 id="about">About</h2>
          ${about.description ? html`<p>${about.description}</p>` : null}
          <${Facts}>
            ${traits.map((trait) => html`<${Fact} name=${trait.trait_type ?? "Trait"}>${String(trait.value)}<//>`)}
            <${Fact} name="Owner">${token.owner ? html`<${Copy} text=${token.owner} shown=${short(token.owner)} />` : "Burned"}<//>
            <${Fact} name="Collection"><${Copy} text=${token.contract} shown=${short(token.contract)} /><//>
            <${Fact} name="Token">№ ${token.token_id}<//>
            <${Fact} name="Metadata">${token.metadata_verified ? "Matches its digest on chain" : token.metadata_verified === null ? "Not compared" : "Differs from its digest on chain"}<//>
          <//>
          <div class="actions">
            ${token.finality === "finalized" && !token.burned
              ? html`<button type="button" disabled=${proof.busy} onClick=${() => proof.run()}>Download the receipt</button>`
              : null}
          </div>
          <p class="hint">A receipt proves the mint to anyone who has a node; <code>mintline verify</code> checks it.</p>
        </section>
        <${History} path=${path} />
      </div>
    </div>`;
}
