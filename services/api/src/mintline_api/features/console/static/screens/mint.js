// A picture becomes a token.
import { html, useEffect, useRef, useState } from "../preact.js";
import { call, get, newKey, upload } from "../api.js";
import { Alert, Field, Progress, Title, short, useAction } from "../parts.js";
import { DropZone, refusal } from "./picture_field.js";

export const previews = new Map();

function Traits({ traits, onChange }) {
  const set = (place, member, value) => onChange(traits.map((trait, n) => (n === place ? { ...trait, [member]: value } : trait)));
  return html`<fieldset><legend>Traits</legend>
    ${traits.map(
      (trait, place) => html`<div class="row" key=${place}>
        <input aria-label=${`Trait ${place + 1}`} placeholder="Trait" value=${trait.trait_type} onInput=${(event) => set(place, "trait_type", event.target.value)} />
        <input aria-label=${`Value ${place + 1}`} placeholder="Value" value=${trait.value} onInput=${(event) => set(place, "value", event.target.value)} />
        <button type="button" class="quiet small" aria-label=${`Remove trait ${place + 1}`} onClick=${() => onChange(traits.filter((_, n) => n !== place))}>Remove</button>
      </div>`,
    )}
    <button type="button" class="small" onClick=${() => onChange([...traits, { trait_type: "", value: "" }])}>Add a trait</button>
  </fieldset>`;
}

// The wallets of the user's own; none if they cannot be read, since minting works without them.
function useLinks() {
  const [links, setLinks] = useState([]);
  useEffect(() => {
    get("/v1/wallet/links").then(({ items }) => setLinks(items)).catch(() => {});
  }, []);
  return links;
}

export default function Mint() {
  const [file, setFile] = useState(null);
  const [wrong, setWrong] = useState(null);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [traits, setTraits] = useState([]);
  const [to, setTo] = useState("");
  const [own, setOwn] = useState("");
  const links = useLinks();
  const [sent, setSent] = useState(0);
  // A repeated click asks for the same mint; another picture or text is another one.
  const attempt = useRef({ key: newKey(), upload: null, of: null });
  const choose = (chosen) => {
    const reason = refusal(chosen);
    setWrong(reason);
    setFile(reason === null ? chosen : null);
    if (reason === null && name === "") setName(chosen.name.replace(/\.[^.]*$/, "").slice(0, 100));
  };
  const action = useAction(async () => {
    const known = attempt.current;
    if (known.of !== file) Object.assign(known, { of: file, upload: null });
    known.upload ??= await upload(file, setSent);
    const metadata = { name, image: `upload:${known.upload.upload_id}` };
    if (description.trim()) metadata.description = description.trim();
    const given = traits.filter((trait) => trait.trait_type.trim() && trait.value.trim());
    if (given.length) metadata.attributes = given;
    const body = { metadata };
    if (own) Object.assign(body, { custody: "self", to: own });
    else if (to.trim()) body.to = to.trim();
    const text = JSON.stringify(body);
    if (known.text !== undefined && known.text !== text) known.key = newKey();
    known.text = text;
    const mint = await call("POST", "/v1/mints", { body, headers: { "Idempotency-Key": known.key } });
    previews.set(mint.mint_id, { name, url: known.upload.url });
    location.hash = `#/mints/${mint.mint_id}`;
  });
  const submit = (event) => {
    event.preventDefault();
    if (file === null) setWrong("Choose a picture first.");
    else action.run();
  };
  return html`<${Title}>Mint<//>
    <form onSubmit=${submit} class="split">
      <div>
        <${DropZone} file=${file} onFile=${choose} />
        ${wrong ? html`<div class="alert" role="alert"><p>${wrong}</p></div>` : null}
        ${action.busy ? html`<${Progress} value=${sent} max=${1} label=${sent < 1 ? "Uploading the picture" : "Asking for the mint"} />` : null}
      </div>
      <div class="card">
        <${Alert} problem=${action.problem} />
        <${Field} id="name" label="Name">
          <input id="name" required maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} autocomplete="off" />
        <//>
        <${Field} id="description" label="Description">
          <textarea id="description" maxlength="4000" value=${description} onInput=${(event) => setDescription(event.target.value)}></textarea>
        <//>
        <${Traits} traits=${traits} onChange=${setTraits} />
        ${links.length
          ? html`<${Field} id="own" label="Minted by" hint="A wallet of your own gets the token, and sends the transaction itself.">
              <select id="own" value=${own} aria-describedby="own-hint" onChange=${(event) => setOwn(event.target.value)}>
                <option value="">Your wallet in custody</option>
                ${links.map(({ address }) => html`<option key=${address} value=${address}>Your own: ${short(address)}</option>`)}
              </select><//>`
          : null}
        ${own ? null : html`<${Field} id="to" label="Recipient" hint="An address, 0x…; your own wallet if you leave this empty.">
          <input id="to" value=${to} pattern="0x[0-9a-fA-F]{40}" aria-describedby="to-hint" onInput=${(event) => setTo(event.target.value)} autocomplete="off" spellcheck="false" />
        <//>`}
        <div class="actions"><button class="primary" disabled=${action.busy}>${action.busy ? "Minting…" : "Mint"}</button></div>
      </div>
    </form>`;
}
