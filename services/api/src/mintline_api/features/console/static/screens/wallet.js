// My wallet in custody, and the wallets of my own that are linked to it.
import { html } from "../preact.js";
import { call, get } from "../api.js";
import { link, useBrowserWallets } from "../browser_wallets.js";
import { Alert, Badge, Copy, Empty, Fact, Facts, Loading, Title, useAction, usePolled, when } from "../parts.js";

function Links() {
  const { value, problem, again } = usePolled((signal) => get("/v1/wallet/links", { signal }), [], { until: () => true });
  const wallets = useBrowserWallets();
  const linking = useAction(async (provider) => {
    await link(provider);
    again();
  });
  const unlinking = useAction(async (address) => {
    await call("DELETE", `/v1/wallet/links/${address}`);
    again();
  });
  return html`<section class="card" aria-labelledby="links"><h2 id="links">Wallets of your own</h2>
    <p>A linked wallet can receive and pay for mints itself. You prove that it is yours by a signature.</p>
    <${Alert} problem=${problem ?? linking.problem ?? unlinking.problem} />
    ${value === null && !problem ? html`<${Loading} />` : null}
    ${value?.items.length === 0 ? html`<${Empty} title="No linked wallet">Link one of this browser's wallets below.<//>` : null}
    ${value?.items.length
      ? html`<${Facts}>${value.items.map(
          (one) => html`<${Fact} key=${one.address} name=${`Since ${when(one.linked_at)}`}><${Copy} text=${one.address} />
            <button type="button" class="quiet small" disabled=${unlinking.busy} aria-label=${`Unlink ${one.address}`} onClick=${() => unlinking.run(one.address)}>Unlink</button><//>`,
        )}<//>`
      : null}
    <div class="actions">${wallets.map(
      ({ info, provider }) => html`<button type="button" key=${info.uuid} disabled=${linking.busy} onClick=${() => linking.run(provider)}>Link ${info.name}</button>`,
    )}</div>
    ${wallets.length ? null : html`<p class="hint">No wallet extension announces itself in this browser (EIP-6963).</p>`}
  </section>`;
}

export default function Wallet() {
  const { value: wallet, problem } = usePolled((signal) => get("/v1/wallet", { signal }), [], { until: () => true });
  return html`<${Title}>Wallet<//>
    <section class="card" aria-labelledby="custody"><h2 id="custody">Your wallet in custody</h2>
      <${Alert} problem=${problem} />
      ${wallet === null && !problem ? html`<${Loading} />` : null}
      ${wallet
        ? html`<${Facts}>
            <${Fact} name="Address"><${Copy} text=${wallet.address} /><//>
            <${Fact} name="Chain">${wallet.chain_id}<//>
            <${Fact} name="Created">${when(wallet.created_at)}<//>
            <${Fact} name="Status">${wallet.deletes_at ? html`<${Badge} status="disabled" /> Its key is destroyed on ${when(wallet.deletes_at)}.` : html`<${Badge} status="ready" />`}<//>
          <//>`
        : null}
      <p class="hint">Its key was made by AWS KMS and is usable only inside the signing enclave.</p>
    </section>
    <${Links} />`;
}
