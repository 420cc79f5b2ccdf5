// Collections of the client: make one, see its supply, pause it.
import { html, useEffect, useRef, useState } from "../preact.js";
import { call, get, newKey, query, upload } from "../api.js";
import { Alert, Badge, Copy, Elsewhere, Empty, Fact, Facts, Field, Loading, More, Picture, Title, number, short, useAction, usePages, usePolled, when } from "../parts.js";
import { DropZone, refusal } from "./picture_field.js";

const ENDS = ["finalized", "rejected", "reverted"];
const settled = (one) => one.status !== "deploying" && (!one.change || ENDS.includes(one.change.status));

function state(one) {
  if (one.status !== "ready") return one.status;
  if (one.frozen) return "frozen";
  return one.paused ? "paused" : "ready";
}

// Counts of items of ERC-1155 may be beyond what a number has exactly.
function supply(one) {
  const most = one.supply_cap === null ? "no limit" : `at most ${number(one.supply_cap)}`;
  // An older API does not say.
  return one.minted == null ? most[0].toUpperCase() + most.slice(1) : `${number(BigInt(one.minted))} minted, ${most}`;
}

function Make() {
  const [form, setForm] = useState({ name: "", symbol: "", description: "", cap: "", soulbound: false, open: false });
  const [file, setFile] = useState(null);
  const [wrong, setWrong] = useState(null);
  const key = useRef({ value: newKey(), body: null, of: null, upload: null });
  const set = (member) => (event) => {
    const { type, checked, value } = event.target;
    setForm({ ...form, [member]: type === "checkbox" ? checked : value });
  };
  const action = useAction(async () => {
    const body = { name: form.name, symbol: form.symbol, soulbound: form.soulbound, open_to_users: form.open };
    if (form.cap) body.supply_cap = Number(form.cap);
    if (key.current.of !== file) Object.assign(key.current, { of: file, upload: null });
    if (file !== null) key.current.upload ??= await upload(file);
    const metadata = { description: form.description.trim() || undefined, image: key.current.upload?.url };
    if (metadata.description || metadata.image) body.metadata = metadata;
    const text = JSON.stringify(body);
    if (key.current.body !== null && key.current.body !== text) key.current.value = newKey();
    key.current.body = text;
    const made = await call("POST", "/v1/collections", { body, headers: { "Idempotency-Key": key.current.value } });
    location.hash = `#/collections/${made.contract}`;
  });
  const choose = (chosen) => {
    const reason = refusal(chosen);
    setWrong(reason);
    setFile(reason === null ? chosen : null);
  };
  const submit = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<${Title}>New collection<//>
    <form class="card form" onSubmit=${submit}>
      <${Alert} problem=${action.problem} />
      <p>Name, symbol, supply and whether tokens stay with their holder are part of the contract and never change.</p>
      <${Field} id="name" label="Name"><input id="name" required maxlength="64" value=${form.name} onInput=${set("name")} autocomplete="off" /><//>
      <${Field} id="symbol" label="Symbol"><input id="symbol" required maxlength="16" value=${form.symbol} onInput=${set("symbol")} autocomplete="off" /><//>
      <${Field} id="description" label="Description" hint="Marketplaces show it, and the picture.">
        <textarea id="description" maxlength="4000" value=${form.description} onInput=${set("description")} aria-describedby="description-hint"></textarea><//>
      <${Field} id="picture" label="Picture"><${DropZone} id="picture" small file=${file} onFile=${choose} /><//>
      ${wrong ? html`<div class="alert" role="alert"><p>${wrong}</p></div>` : null}
      <${Field} id="cap" label="Supply" hint="How many tokens are ever minted; no limit if you leave this empty.">
        <input id="cap" type="number" min="1" step="1" value=${form.cap} onInput=${set("cap")} aria-describedby="cap-hint" /><//>
      <label class="check"><input type="checkbox" checked=${form.soulbound} onChange=${set("soulbound")} />Tokens stay with their first holder</label>
      <label class="check"><input type="checkbox" checked=${form.open} onChange=${set("open")} />Any user may mint in it, at the platform's expense</label>
      <div class="actions"><button class="primary" disabled=${action.busy}>${action.busy ? "Creating…" : "Create the collection"}</button></div>
    </form>`;
}

// What `contractURI` gives marketplaces; nothing if it has neither text nor a picture.
function Shown({ one }) {
  const [about, setAbout] = useState({});
  useEffect(() => {
    get(`/v1/metadata/${one.contract}`).then(setAbout).catch(() => setAbout({}));
  }, [one.contract, one.metadata_digest]);
  if (!about.image && !about.description) return null;
  return html`<section class="card" aria-labelledby="shown"><h2 id="shown">What marketplaces show</h2>
    ${about.description ? html`<p>${about.description}</p>` : null}
    ${about.image ? html`<div class="framed narrow"><${Picture} source=${about.image} name=${one.name} /></div><${Elsewhere} source=${about.image} />` : null}
  </section>`;
}

function Holders({ path }) {
  const pages = usePages((cursor) => query(`${path}/holders`, { limit: 12, cursor }), get, [path]);
  // A deployment may keep no index of holders.
  if (pages.problem?.code === "query-not-kept") return null;
  return html`<section class="card" aria-labelledby="holders"><h2 id="holders">Holders</h2>
    <${Alert} problem=${pages.problem} />
    ${pages.items?.length === 0 && !pages.next ? html`<p class="hint">None yet.</p>` : null}
    ${pages.items?.length
      ? html`<table><thead><tr><th scope="col">Address</th><th scope="col" class="number">Tokens</th></tr></thead><tbody>${pages.items.map(
          (holder) => html`<tr key=${holder.owner}><td><${Copy} text=${holder.owner} shown=${short(holder.owner)} /></td>
            <td class="number">${number(holder.balance)}${holder.more ? " or more" : ""}</td></tr>`,
        )}</tbody></table>`
      : null}
    <${More} pages=${pages} />
  </section>`;
}

function Detail({ contract }) {
  const path = `/v1/collections/${encodeURIComponent(contract)}`;
  const { value: one, problem, again } = usePolled((signal) => get(path, { signal }), [path], { every: 1500, until: settled });
  const pause = useAction(async (paused) => {
    await call("PATCH", path, { body: { paused }, headers: { "Idempotency-Key": newKey() } });
    again();
  });
  const tokens = usePages((cursor) => query(`${path}/tokens`, { limit: 12, cursor }), get, [path]);
  if (one === null) return html`<${Title}>Collection<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  const changing = one.change && !ENDS.includes(one.change.status);
  return html`<${Title} action=${html`<${Badge} status=${state(one)} />`}>${one.name}<//>
    <${Alert} problem=${problem ?? pause.problem} />
    <div aria-live="polite">
      ${changing ? html`<div class="note"><p>A change is on its way to the chain: ${one.change.kind}, ${one.change.status}.</p></div>` : null}
      ${one.deployment?.problem ? html`<div class="alert"><p>${one.deployment.problem.reason}</p></div>` : null}
    </div>
    <section class="card" aria-labelledby="about"><h2 id="about">About</h2><${Facts}>
      <${Fact} name="Contract"><${Copy} text=${one.contract} /><//>
      <${Fact} name="Symbol">${one.symbol}<//>
      <${Fact} name="Supply">${supply(one)}<//>
      <${Fact} name="Tokens">${one.soulbound ? "Stay with their first holder" : "Can be transferred"}<//>
      <${Fact} name="Minted by">${one.open_to_users ? "Its client and any user" : "Its client"}<//>
      <${Fact} name="Royalties">${one.royalties ? `${one.royalties.bps / 100} % to ${short(one.royalties.receiver)}` : "None"}<//>
    <//>
      ${one.status === "ready" && one.mintable && one.client_id !== null
        ? html`<div class="actions"><button type="button" disabled=${pause.busy || changing} onClick=${() => pause.run(!one.paused)}>${one.paused ? "Let it mint again" : "Pause minting"}</button></div>
          <p class="hint">While it is paused, the contract refuses transfers and burns as well.</p>`
        : null}
    </section>
    <${Shown} one=${one} />
    <section class="card" aria-labelledby="tokens"><h2 id="tokens">Tokens</h2>
      <${Alert} problem=${tokens.problem} />
      ${tokens.items?.length === 0 && !tokens.next ? html`<p class="hint">None yet.</p>` : null}
      ${tokens.items?.length
        ? html`<div class="scroll" tabindex="0" role="group" aria-labelledby="tokens"><table><thead><tr><th scope="col">Token</th><th scope="col">Owner</th><th scope="col">Status</th></tr></thead><tbody>${tokens.items.map(
            (token) => html`<tr key=${token.token_id}><td><a href=${`#/token/${token.contract}/${token.token_id}`}>№ ${token.token_id}</a></td><td>${token.owner ? html`<code title=${token.owner}>${short(token.owner)}</code>` : "burned"}</td>
              <td><${Badge} status=${token.finality} /></td></tr>`,
          )}</tbody></table></div>`
        : null}
      <${More} pages=${tokens} />
    </section>
    ${one.status === "ready" ? html`<${Holders} path=${path} />` : null}`;
}

function List() {
  const pages = usePages((cursor) => query("/v1/collections", { limit: 25, cursor }), get, []);
  return html`<${Title} action=${html`<a class="button primary" href="#/collections/new">New collection</a>`}>Collections<//>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 && !pages.next ? html`<${Empty} title="No collections yet">A collection is a contract of its own, deployed at the platform's expense. Those that your backends made are theirs, and are not listed here.<//>` : null}
    ${pages.items?.length
      ? html`<ul class="list card">${pages.items.map(
          (one) => html`<li key=${one.contract}><a href=${`#/collections/${one.contract}`}><strong>${one.name}</strong><${Badge} status=${state(one)} />
            <small>${one.symbol} · ${short(one.contract)}</small></a></li>`,
        )}</ul>`
      : null}
    <${More} pages=${pages} />`;
}

export default function Collections({ rest }) {
  if (rest[0] === "new") return html`<${Make} />`;
  return rest.length ? html`<${Detail} contract=${rest[0]} />` : html`<${List} />`;
}
