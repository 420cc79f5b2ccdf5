import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type {
  BalanceView,
  HoldsView,
  ItemHolderView,
  ListedTransfer,
  MetadataRequest,
  MetadataVersionList,
  MetadataVersionView,
  MintReceipt,
  TokenView,
  TokenWithMetadata,
  TransferView,
} from "./schema.ts";

/** A token's id: a decimal string, as it may be larger than a number can hold. */
export type TokenId = string | bigint | number;

/** What the index says of tokens and owners. Calls throw Refused for what the API refuses, and Unavailable. */
export class Tokens {
  constructor(private readonly api: Api) {}

  get(contract: string, tokenId: TokenId, options: CallOptions = {}): Promise<TokenView> {
    return this.api.get(path`/v1/tokens/${contract}/${tokenId}`, {}, options);
  }

  /** Replaces a token's metadata, as the machine client whose collection it is in. */
  change(
    contract: string,
    tokenId: TokenId,
    metadata: MetadataRequest,
    options: WriteOptions = {},
  ): Promise<MetadataVersionView> {
    return this.api.patch(path`/v1/tokens/${contract}/${tokenId}`, { metadata }, options);
  }

  /** Returns the versions of a token's metadata, newest first. */
  async versions(contract: string, tokenId: TokenId, options: CallOptions = {}): Promise<MetadataVersionView[]> {
    const versions = path`/v1/tokens/${contract}/${tokenId}/metadata/versions`;
    return (await this.api.get<MetadataVersionList>(versions, {}, options)).items;
  }

  /** Returns the exact text of a version of a token's metadata. */
  version(contract: string, tokenId: TokenId, version: number, options: CallOptions = {}): Promise<Uint8Array> {
    return this.api.getBytes(path`/v1/tokens/${contract}/${tokenId}/metadata/versions/${version}`, options);
  }

  /** Yields a token's transfers, those in a range of blocks if one is given. */
  transfers(
    contract: string,
    tokenId: TokenId,
    blocks: { fromBlock?: number; toBlock?: number } = {},
    options: CallOptions = {},
  ): AsyncGenerator<TransferView, void, undefined> {
    const query = { from_block: blocks.fromBlock, to_block: blocks.toBlock };
    return this.api.pages(path`/v1/tokens/${contract}/${tokenId}/transfers`, query, options);
  }

  /**
   * Returns the receipt that proves a token's mint to anyone with a node. In an ERC-1155 collection `mint` is the id of
   * a mint of the item.
   */
  proof(
    contract: string,
    tokenId: TokenId,
    options: CallOptions & { mint?: string } = {},
  ): Promise<MintReceipt> {
    const { mint, ...call } = options;
    return this.api.get(path`/v1/tokens/${contract}/${tokenId}/proof`, { mint }, call);
  }

  /** Yields the tokens of an address, those of a collection if one is given. */
  ownedBy(
    address: string,
    query: { contract?: string; include?: "metadata" } = {},
    options: CallOptions = {},
  ): AsyncGenerator<TokenWithMetadata, void, undefined> {
    return this.api.pages(path`/v1/owners/${address}/tokens`, query, options);
  }

  /** Yields the transfers from and to an address, newest first. */
  transfersOf(
    address: string,
    query: { contract?: string; direction?: "in" | "out" } = {},
    options: CallOptions = {},
  ): AsyncGenerator<ListedTransfer, void, undefined> {
    return this.api.pages(path`/v1/owners/${address}/transfers`, query, options);
  }

  /** Yields who has some of an ERC-1155 token, and how many; of an ERC-721 token its owner. */
  holders(
    contract: string,
    tokenId: TokenId,
    options: CallOptions = {},
  ): AsyncGenerator<ItemHolderView, void, undefined> {
    return this.api.pages(path`/v1/tokens/${contract}/${tokenId}/holders`, {}, options);
  }

  /** Returns how many tokens of a collection an address owns, or how much of one if `tokenId` is given. */
  balance(address: string, contract: string, tokenId?: TokenId, options: CallOptions = {}): Promise<BalanceView> {
    const query = { contract, token_id: tokenId?.toString() };
    return this.api.get(path`/v1/owners/${address}/balance`, query, options);
  }

  /** Returns whether an address owns a token of a collection, a certain one if `tokenId` is given. */
  holds(address: string, contract: string, tokenId?: TokenId, options: CallOptions = {}): Promise<HoldsView> {
    const query = { contract, token_id: tokenId?.toString() };
    return this.api.get(path`/v1/owners/${address}/holds`, query, options);
  }
}
