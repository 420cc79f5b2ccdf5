import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type {
  CollectionPatch,
  CollectionRequest,
  CollectionView,
  DocumentsRequest,
  DocumentsView,
  HolderView,
  ImportRequest,
  ListedTransfer,
  RevealPublication,
  TokenWithMetadata,
} from "./schema.ts";
import { failureOf, follow, hasEnded, type WaitOptions } from "./waiting.ts";

/** A machine client's collections. Calls throw Refused for what the API refuses, and Unavailable. */
export class Collections {
  constructor(private readonly api: Api) {}

  /** Has a collection deployed; the same idempotency key is the same collection. */
  create(request: CollectionRequest, options: WriteOptions = {}): Promise<CollectionView> {
    return this.api.post("/v1/collections", request, options);
  }

  /** Yields the client's collections, newest first. */
  list(options: CallOptions = {}): AsyncGenerator<CollectionView, void, undefined> {
    return this.api.pages("/v1/collections", {}, options);
  }

  get(contract: string, options: CallOptions = {}): Promise<CollectionView> {
    return this.api.get(path`/v1/collections/${contract}`, {}, options);
  }

  /** Has one thing about a collection changed. */
  change(contract: string, change: CollectionPatch, options: WriteOptions = {}): Promise<CollectionView> {
    return this.api.patch(path`/v1/collections/${contract}`, change, options);
  }

  /** Has a collection's metadata made permanent. */
  freeze(contract: string, options: WriteOptions = {}): Promise<CollectionView> {
    return this.api.post(path`/v1/collections/${contract}/freeze`, undefined, options);
  }

  /** Hands over texts that are to be revealed, each with its path. */
  keepDocuments(contract: string, request: DocumentsRequest): Promise<DocumentsView> {
    return this.api.post(path`/v1/collections/${contract}/reveal/documents`, request);
  }

  /** Has the texts that were handed over served in the place of the placeholders. */
  reveal(contract: string, request: RevealPublication, options: WriteOptions = {}): Promise<CollectionView> {
    return this.api.post(path`/v1/collections/${contract}/reveal`, request, options);
  }

  /** Returns the texts of the chunk that begins with a token, of a collection that was revealed. */
  revealedDocuments(contract: string, firstTokenId: number, options: CallOptions = {}): Promise<DocumentsView> {
    const query = { first_token_id: firstTokenId };
    return this.api.get(path`/v1/collections/${contract}/reveal/documents`, query, options);
  }

  /** Has a contract indexed that others deployed, from a block on. */
  importContract(request: ImportRequest): Promise<CollectionView> {
    return this.api.post("/v1/collections/import", request);
  }

  /** Yields the tokens of any collection that the deployment knows. */
  tokens(
    contract: string,
    query: { include?: "metadata" } = {},
    options: CallOptions = {},
  ): AsyncGenerator<TokenWithMetadata, void, undefined> {
    return this.api.pages(path`/v1/collections/${contract}/tokens`, query, options);
  }

  /** Yields who owns tokens of a collection, and how many. */
  holders(contract: string, options: CallOptions = {}): AsyncGenerator<HolderView, void, undefined> {
    return this.api.pages(path`/v1/collections/${contract}/holders`, {}, options);
  }

  /** Yields the transfers of a collection's tokens, newest first. */
  transfers(contract: string, options: CallOptions = {}): AsyncGenerator<ListedTransfer, void, undefined> {
    return this.api.pages(path`/v1/collections/${contract}/transfers`, {}, options);
  }

  /** Follows what is under way in a collection until it is mined; throws Rejected if it fails. */
  async wait(
    collection: { contract: string },
    options: WaitOptions<CollectionView> = {},
  ): Promise<CollectionView> {
    const underWay = (current: CollectionView) => current.change ?? current.deployment;
    const done = (current: CollectionView) => {
      const operation = underWay(current);
      const status = operation?.status ?? "";
      return operation === null || status === "mined" || hasEnded(status);
    };
    const current = await follow(this.api, path`/v1/collections/${collection.contract}`, done, options);
    const operation = underWay(current);
    if (operation !== null && operation.status !== "mined" && operation.status !== "finalized") {
      throw failureOf(operation);
    }
    return current;
  }
}
