// A user's own wallet, by a wallet library (viem): one command a run, JSON in and out.

import { createWalletClient, http, recoverTypedDataAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";

// What the api gives is in the words of JSON-RPC; viem's local accounts take numbers.
const fromRpc = ({ from, type, chainId, nonce, gas, value, maxFeePerGas, maxPriorityFeePerGas, ...rest }) => ({
  ...rest,
  type: "eip1559",
  chainId: Number(chainId),
  nonce: Number(nonce),
  gas: BigInt(gas),
  value: BigInt(value),
  maxFeePerGas: BigInt(maxFeePerGas),
  maxPriorityFeePerGas: BigInt(maxPriorityFeePerGas),
});

const commands = {
  address: async ({ key }) => privateKeyToAccount(key).address,

  personalSign: async ({ key, message }) => privateKeyToAccount(key).signMessage({ message }),

  signIn: async ({ key, challenge }) => {
    const account = privateKeyToAccount(key);
    const message = createSiweMessage({
      address: challenge.address,
      chainId: challenge.chain_id,
      domain: challenge.domain,
      nonce: challenge.nonce,
      uri: challenge.uri,
      version: "1",
      issuedAt: new Date(challenge.issued_at),
      expirationTime: new Date(challenge.expires_at),
      statement: "Let this wallet mint.",
    });
    return { message, signature: await account.signMessage({ message }) };
  },

  issuer: async ({ typedData, signature }) => recoverTypedDataAddress({ ...typedData, signature }),

  signTransaction: async ({ key, transaction }) =>
    privateKeyToAccount(key).signTransaction(fromRpc(transaction)),

  send: async ({ key, transaction, rpcUrl }) => {
    const chain = {
      id: Number(transaction.chainId),
      name: "the line's",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [rpcUrl] } },
    };
    const client = createWalletClient({ account: privateKeyToAccount(key), chain, transport: http(rpcUrl) });
    return client.sendTransaction(fromRpc(transaction));
  },
};

const [, , command, argument] = process.argv;
process.stdout.write(JSON.stringify(await commands[command](JSON.parse(argument))));
