// Wallets of this browser that announce themselves (EIP-6963), and what is asked of them (EIP-1193).
import { useEffect, useState } from "./preact.js";
import { call } from "./api.js";

export function useBrowserWallets() {
  const [found, setFound] = useState([]);
  useEffect(() => {
    const heard = ({ detail }) =>
      setFound((known) => (known.some((one) => one.info.uuid === detail.info.uuid) ? known : [...known, detail]));
    window.addEventListener("eip6963:announceProvider", heard);
    window.dispatchEvent(new Event("eip6963:requestProvider"));
    return () => window.removeEventListener("eip6963:announceProvider", heard);
  }, []);
  return found;
}

const hexOf = (text) => `0x${Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;

export async function link(provider) {
  const [account] = await provider.request({ method: "eth_requestAccounts" });
  const challenge = await call("POST", "/v1/wallet/links/challenges", { body: { address: account } });
  const signature = await provider.request({ method: "personal_sign", params: [hexOf(challenge.message), account] });
  await call("POST", "/v1/wallet/links", { body: { message: challenge.message, signature } });
}

// Has a wallet sign and send a mint's transaction, from the mint's recipient on the mint's chain; returns its hash.
export async function sendTransaction(provider, mint) {
  const { transaction } = mint.self_custody;
  const accounts = await provider.request({ method: "eth_requestAccounts" });
  if (!accounts.some((account) => account.toLowerCase() === mint.to.toLowerCase())) {
    throw new Error(`This wallet does not offer ${mint.to}: choose that account in it, then try again.`);
  }
  const chain = await provider.request({ method: "eth_chainId" });
  if (BigInt(chain) !== BigInt(transaction.chainId)) {
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: transaction.chainId }] });
  }
  // The wallet knows its own next nonce, and asks its user about the fees.
  const { nonce: _, chainId: __, type: ___, ...asked } = transaction;
  return provider.request({ method: "eth_sendTransaction", params: [{ ...asked, from: mint.to }] });
}
