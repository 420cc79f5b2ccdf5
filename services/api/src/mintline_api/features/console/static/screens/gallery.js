// What I own.
import { html } from "../preact.js";
import { get, query } from "../api.js";
import { Alert, Badge, Empty, Loading, More, Picture, Title, usePages } from "../parts.js";

let wallet = null;

async function page(path) {
  wallet ??= get("/v1/wallet");
  const { address } = await wallet.catch((problem) => {
    wallet = null;
    throw problem;
  });
  return get(path.replace("{address}", address));
}

export default function Gallery({ session }) {
  const pages = usePages(
    (cursor) => query("/v1/owners/{address}/tokens", { include: "metadata", limit: 24, cursor }),
    page,
    [session.access],
  );
  return html`<${Title} action=${html`<a class="button primary" href="#/mint">Mint</a>`}>Gallery<//>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 && !pages.next ? html`<${Empty} title="Nothing here yet">Tokens that your wallet holds are shown here.<//>` : null}
    <ul class="grid">${(pages.items ?? []).map(
      (token) => html`<li key=${`${token.contract}/${token.token_id}`}>
        <a class="tile" href=${`#/token/${token.contract}/${token.token_id}`}>
          <${Picture} source=${token.metadata?.image} name=${token.metadata?.name ?? `Token ${token.token_id}`} />
          <div class="about"><h2 title=${token.metadata?.name}>${token.metadata?.name ?? `Token ${token.token_id}`}</h2>
            <p>№ ${token.token_id} ${token.finality === "pending" ? html`<${Badge} status="mined" />` : null}</p></div>
        </a></li>`,
    )}</ul>
    <${More} pages=${pages} />`;
}
