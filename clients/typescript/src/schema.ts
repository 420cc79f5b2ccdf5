// The API's requests and responses, made from its OpenAPI document by `make clients`.
// A response may have members that are not listed here: later releases add some.

export interface components {
    schemas: {
        /**
         * AttemptList
         * @description Attempts to deliver, newest first.
         */
        AttemptList: {
            items: components["schemas"]["DeliveryAttemptView"][];
            /** @description Continues the list; null at its end. */
            next_cursor: string | null;
        };
        /**
         * AttemptView
         * @description One signed transaction; any attempt can be the one that is mined.
         */
        AttemptView: {
            tx_hash: string;
            /** @example 1 */
            max_fee_per_gas: string;
            /** @example 1 */
            max_priority_fee_per_gas: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            at: string;
        };
        /**
         * Attribute
         * @description One trait, as OpenSea's metadata standard has it.
         */
        Attribute: {
            trait_type?: string | null;
            value: string | number | boolean;
            /** @description How to show a numeric value; `date` is in Unix seconds. */
            display_type?: ("number" | "boost_number" | "boost_percentage" | "date") | null;
            /** @description The scale's end, for a numeric value. */
            max_value?: number | null;
        };
        /**
         * BalanceView
         * @description How many tokens of a collection an address owns.
         */
        BalanceView: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            token_id: string | null;
            /** @description The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least this many. */
            balance: number;
            /** @description Counting ends at 10,000 tokens: true if there may be more. */
            more: boolean;
            /** @description How many the address has of `token_id`; of an ERC-721 token 0 or 1. Null without it. */
            quantity: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * BlocksView
         * @description How far chain and index have come, by block numbers; null: not known.
         */
        BlocksView: {
            /** @description The chain's latest block. */
            head: number | null;
            /** @description The newest block in the index. */
            indexed: number | null;
            /** @description The newest block that is final, as the index has it. */
            finalized: number | null;
            /** @description Blocks that the index is behind the chain. */
            behind: number | null;
            /** @description When the index last changed. */
            indexed_at: string | null;
        };
        /**
         * BudgetRequest
         * @description What a client may have minted.
         */
        BudgetRequest: {
            /** @description Mints that are accepted in an hour; null: no limit but the signing policy's. */
            mints_per_hour?: number | null;
            /** @description Wei that its mints' gas may cost in a UTC day, at the price when each is accepted; null likewise. */
            wei_per_day?: string | null;
            /** @description Contracts that it may mint in; null: all. */
            collections?: string[] | null;
        };
        /**
         * BudgetView
         * @description What a client may have minted; null: no limit but the signing policy's.
         */
        BudgetView: {
            /** @description Mints that are accepted in an hour; null: no limit but the signing policy's. */
            mints_per_hour: number | null;
            /** @description Wei that its mints' gas may cost in a UTC day, at the price when each is accepted; null likewise. */
            wei_per_day: string | null;
            /** @description Contracts that it may mint in; null: all. */
            collections: string[] | null;
        };
        /**
         * BulkLinks
         * @description Where to look next.
         */
        BulkLinks: {
            self: string;
        };
        /**
         * BulkRequest
         * @description What to mint, and to whom; all in one collection.
         */
        BulkRequest: {
            /** @description The collection; this deployment's default if absent. */
            contract?: string | null;
            mints: components["schemas"]["LineRequest"][];
        };
        /**
         * BulkView
         * @description A request for many mints.
         */
        BulkView: {
            /** @example bulk_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D */
            request_id: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @description How many mints it is for. */
            count: number;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            accepted_at: string;
            /** @description How many of its mints have which status; a status that none has is left out. */
            statuses: {
                [key: string]: number;
            };
            /** @description The mints' ids, in the order of the request. */
            mint_ids: string[];
            links: components["schemas"]["BulkLinks"];
        };
        /**
         * BurnOperationView
         * @description A token that is being burned.
         */
        BurnOperationView: {
            /** @description `accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain) and `reverted` (mined, but failed) are the bad ends. */
            status: components["schemas"]["MintStatus"];
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            /** @description How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721. */
            quantity: string | null;
            /**
             * @description Your wallet in custody, which holds the token.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            wallet: string;
            /**
             * @description Who sends the transaction and pays its gas. `relayer`: a key of the platform's, by your wallet's signature, in collections that were made by `POST /v1/collections`; your wallet needs no ether, and its nonce stays. `wallet`: your wallet itself, which the platform gives the gas.
             * @enum {string}
             */
            paid_by: "wallet" | "relayer";
            /** @description Of the transaction's sender. */
            nonce: number | null;
            /** @description The mined transaction; before that, the latest one that was sent. */
            tx_hash: string | null;
            block_number: number | null;
            block_hash: string | null;
            timeline: components["schemas"]["TokenOperationTimeline"];
            attempts: components["schemas"]["AttemptView"][];
            /** @description What it waits for while `accepted`, if somebody has to act before it can continue. */
            waiting: components["schemas"]["ProblemView"] | null;
            /** @description Why it ended badly. */
            problem: components["schemas"]["ProblemView"] | null;
            links: components["schemas"]["TokenOperationLinks"];
            /** @example burn_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D */
            burn_id: string;
        };
        /**
         * BurnRequest
         * @description Which token of the wallet in custody to burn.
         */
        BurnRequest: {
            /** @description The collection; this deployment's default if absent. */
            contract?: string | null;
            /**
             * @description Decimal. A token that your wallet in custody holds; in an ERC-1155 collection, the item.
             * @example 1
             */
            token_id: string;
            /** @description In an ERC-1155 collection, how many tokens of the item; 1 if absent. */
            quantity?: string | null;
        };
        /**
         * ChallengeRequest
         * @description Which wallet to link, and where its user is asked to sign.
         */
        ChallengeRequest: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            /** @description The site that asks, as the browser names it; this API's own if absent. */
            domain?: string | null;
        };
        /**
         * ChallengeView
         * @description What a wallet has to sign to be linked.
         */
        ChallengeView: {
            /** @description The text to sign, as it is (EIP-4361). */
            message: string;
            domain: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            uri: string;
            chain_id: number;
            nonce: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            issued_at: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            expires_at: string;
        };
        /**
         * ClientChange
         * @description What is to change of a client; what is left out stays.
         */
        ClientChange: {
            /** @description Replaces the whole budget. */
            budget?: components["schemas"]["BudgetRequest"] | null;
            /** @description Whether its tokens are refused. */
            disabled?: boolean | null;
        };
        /**
         * ClientList
         * @description All machine clients, by name.
         */
        ClientList: {
            items: components["schemas"]["ClientView"][];
        };
        /**
         * ClientRequest
         * @description A client to be made.
         */
        ClientRequest: {
            /** @description What people call it. */
            name: string;
            /**
             * @description What its tokens may do: some of mints:create, mints:read, tokens:read, users:read, users:write, collections:write, webhooks:write, admin.
             * @default [
             *       "mints:create",
             *       "mints:read",
             *       "tokens:read",
             *       "users:read",
             *       "users:write",
             *       "collections:write",
             *       "webhooks:write"
             *     ]
             */
            scopes?: string[];
            /**
             * @default {
             *       "mints_per_hour": null,
             *       "wei_per_day": null,
             *       "collections": null
             *     }
             */
            budget?: components["schemas"]["BudgetRequest"];
        };
        /**
         * ClientUseView
         * @description A machine client, and what it has used.
         */
        ClientUseView: {
            /** @description The app client's id: `client_id` at the token endpoint. */
            client_id: string;
            name: string;
            scopes: string[];
            budget: components["schemas"]["BudgetView"];
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description Since when its tokens are refused. */
            disabled_at: string | null;
            used: components["schemas"]["UseView"];
        };
        /**
         * ClientView
         * @description A machine client.
         */
        ClientView: {
            /** @description The app client's id: `client_id` at the token endpoint. */
            client_id: string;
            name: string;
            scopes: string[];
            budget: components["schemas"]["BudgetView"];
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description Since when its tokens are refused. */
            disabled_at: string | null;
        };
        /**
         * CollectionLinks
         * @description Where to look next.
         */
        CollectionLinks: {
            self: string;
            tokens: string;
        };
        /**
         * CollectionList
         * @description A page of collections, newest first.
         */
        CollectionList: {
            items: components["schemas"]["CollectionSummary"][];
            next_cursor: string | null;
        };
        /**
         * CollectionMetadata
         * @description What marketplaces show of a collection (ERC-7572), in addition to its name and symbol.
         */
        CollectionMetadata: {
            description?: string | null;
            image?: string | null;
            banner_image?: string | null;
            featured_image?: string | null;
            /** @description The collection's page; http(s). */
            external_link?: string | null;
            /** @description Addresses that marketplaces may let edit the collection's page. */
            collaborators?: string[] | null;
        };
        /**
         * CollectionOperationView
         * @description A deployment or a change, which a relayer of the platform sends.
         */
        CollectionOperationView: {
            operation_id: string;
            /** @enum {string} */
            kind: "deploy" | "pause" | "unpause" | "set_royalty" | "refresh_contract_uri" | "refresh_metadata" | "freeze" | "cap_item";
            /** @description As a mint's; null if its record cannot be read now. */
            status: components["schemas"]["MintStatus"] | null;
            tx_hash: string | null;
            waiting: components["schemas"]["ProblemView"] | null;
            /** @description Why it ended badly. */
            problem: components["schemas"]["ProblemView"] | null;
        };
        /**
         * CollectionPatch
         * @description What is to change of a collection: one of the members.
         */
        CollectionPatch: {
            /** @description Whether the contract refuses mints. */
            paused?: boolean;
            /** @description For all tokens of the collection. */
            royalties?: components["schemas"]["RoyaltiesRequest"];
            /** @description Replaces all of it. */
            metadata?: components["schemas"]["CollectionMetadata"];
            /** @description Bounds the tokens of an item, in an ERC-1155 collection. */
            item_cap?: components["schemas"]["ItemCapRequest"];
        };
        /**
         * CollectionRequest
         * @description A collection to be deployed.
         */
        CollectionRequest: {
            /** @description `erc721`, also if absent: each token is one of its kind, numbered by the platform. `erc1155`: items of your numbering, of which any quantity is minted. It never changes. */
            standard?: ("erc721" | "erc1155") | null;
            /** @description At most 64 bytes in UTF-8. It never changes, as symbol, cap, window and `soulbound`. */
            name: string;
            /** @description At most 16 bytes in UTF-8. */
            symbol: string;
            /** @description Who marketplaces let edit the collection's page (ERC-5313). The contract gives it no rights. The receiver of the royalties if absent. */
            owner?: string | null;
            /** @description None if absent. */
            royalties?: components["schemas"]["RoyaltiesRequest"] | null;
            /** @description How many tokens are ever minted, of all items together; no cap if absent. */
            supply_cap?: number | null;
            /** @description No window if absent. */
            mint_window?: components["schemas"]["MintWindowRequest"] | null;
            /**
             * @description Whether tokens stay with their first holder (ERC-5192).
             * @default false
             */
            soulbound?: boolean;
            /**
             * @description Whether any user of this API may mint in it too, at the platform's expense.
             * @default false
             */
            open_to_users?: boolean;
            /**
             * @default {
             *       "description": null,
             *       "image": null,
             *       "banner_image": null,
             *       "featured_image": null,
             *       "external_link": null,
             *       "collaborators": null
             *     }
             */
            metadata?: components["schemas"]["CollectionMetadata"];
            /** @description To what the tokens' metadata will be once it is revealed; none if absent. */
            reveal?: components["schemas"]["RevealRequest"] | null;
        };
        /**
         * CollectionSummary
         * @description A collection in a list.
         */
        CollectionSummary: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            chain_id: number;
            name: string;
            symbol: string;
            /** @enum {string} */
            status: "deploying" | "ready" | "failed";
            paused: boolean;
            frozen: boolean;
            links: components["schemas"]["CollectionLinks"];
        };
        /**
         * CollectionTokenList
         * @description A collection's tokens, by token id.
         */
        CollectionTokenList: {
            /** @description With `include=metadata` each has `metadata` and `metadata_verified` as well. */
            items: (components["schemas"]["TokenSummary"] | components["schemas"]["TokenWithMetadata"])[];
            /** @description Continues the list; null at its end. A short or empty page may have one, too. */
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * CollectionView
         * @description A collection: an ERC-721 or ERC-1155 contract.
         */
        CollectionView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            chain_id: number;
            /** @enum {string} */
            standard: "erc721" | "erc1155";
            name: string;
            symbol: string;
            /**
             * @description `deploying` → `ready`; `failed` if its deployment came to nothing, and nothing can be minted in it. The address is the same from the first answer on.
             * @enum {string}
             */
            status: "deploying" | "ready" | "failed";
            /** @description The machine client that made it; null for one that operators registered or imported. */
            client_id: string | null;
            /** @description False for an imported contract, which is indexed alone. */
            mintable: boolean;
            /** @description Whether users may mint in it at the platform's expense. */
            open_to_users: boolean;
            supply_cap: number | null;
            /** @description How many tokens were ever minted in it, burned ones included, by the chain within the last two seconds. Null before it is deployed, for a contract that no client made, and if no node responds. */
            minted: string | null;
            mint_window: components["schemas"]["MintWindowView"] | null;
            soulbound: boolean;
            owner: string | null;
            /** @description Null for none; also of a contract that this API did not deploy. */
            royalties: components["schemas"]["RoyaltiesView"] | null;
            paused: boolean;
            /** @description Whether its metadata is permanent. */
            frozen: boolean;
            /** @description What `contractURI` gives. */
            metadata_url: string;
            /** @description SHA-256 of what `metadata_url` serves. */
            metadata_digest: string | null;
            /** @description Null without a commitment. */
            reveal: components["schemas"]["RevealView"] | null;
            deployed_block: number | null;
            /** @description Null for other readers than its client. */
            deployment: components["schemas"]["CollectionOperationView"] | null;
            /** @description The latest change of `paused`, `royalties`, `metadata`, `frozen` or a token's metadata, until it is final. */
            change: components["schemas"]["CollectionOperationView"] | null;
            links: components["schemas"]["CollectionLinks"];
        };
        /**
         * CostEstimate
         * @description What the gas costs at one price.
         */
        CostEstimate: {
            /**
             * @description At the next block's base fee; at one and a half times it; at twice it.
             * @enum {string}
             */
            level: "low" | "expected" | "high";
            /** @example 1 */
            wei_per_gas: string;
            /** @example 1 */
            wei: string;
        };
        /**
         * CreatedClientView
         * @description A new client.
         */
        CreatedClientView: {
            /** @description The app client's id: `client_id` at the token endpoint. */
            client_id: string;
            name: string;
            scopes: string[];
            budget: components["schemas"]["BudgetView"];
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description Since when its tokens are refused. */
            disabled_at: string | null;
            /** @description Shown this once. */
            client_secret: string;
        };
        /**
         * CreatedWebhookView
         * @description A webhook with its secret.
         */
        CreatedWebhookView: {
            webhook_id: string;
            /** @description Where events are posted to. */
            url: string;
            /** @description Types of the events that are delivered; null: all. */
            types: string[] | null;
            description: string;
            /** @enum {string} */
            status: "enabled" | "disabled";
            /** @description Why the deliveries were stopped; null if they were not, or if you disabled the webhook. */
            disabled_reason: string | null;
            /** @description Verifies signatures of the kind `v1a` (Ed25519); it changes with the secret. */
            public_key: string;
            /** @description Events that were sent, and not acknowledged yet. */
            failing: number;
            /** @description When these are sent again; null if there are none. */
            next_attempt_at: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            updated_at: string;
            /** @description Verifies signatures of the kind `v1` (HMAC-SHA256). Shown this once. */
            secret: string;
        };
        /**
         * DeadLetterView
         * @description A message that is not tried again, and why.
         */
        DeadLetterView: {
            /** @description The queue that it comes from. */
            queue: string;
            message_id: string;
            /** @description The type that it names, such as `build_mint`. */
            type: string | null;
            /** @description The operation that it is about, if it is about one. */
            operation_id: string | null;
            /** @description Why it is here, as `docs/codes.md` lists it. */
            code: string;
            /** @description The same in words; of a long text the beginning. */
            reason: string;
            /** @description Of the traceback: errors of one kind from one place share it. The service's log has it. */
            digest: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            dead_lettered_at: string;
        };
        /**
         * DeliveryAttemptView
         * @description One attempt to deliver an event.
         */
        DeliveryAttemptView: {
            /** @description The event, and `webhook-id` of the request. */
            event_id: string;
            type: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            at: string;
            /** @description Which attempt it was, from 1; again from 1 after a replay. */
            attempt: number;
            /** @description Whether the receiver acknowledged it, by a status from 200 to 299. */
            delivered: boolean;
            /** @description The status of the response; null if there was none. */
            status_code: number | null;
            /** @description Why there was no response. */
            error: string | null;
            /** @description Milliseconds until the response or the time-out. */
            latency_ms: number;
            /** @description What the response begins with, control characters escaped. */
            response: string;
            /** @description When it is sent again; null if it is not. */
            next_attempt_at: string | null;
        };
        /**
         * Document
         * @description The metadata of one token, as it was committed to.
         */
        Document: {
            /** @description The exact text, a JSON object of at most 16384 bytes. */
            text: string;
            /** @description The hashes that lead from the token's leaf to the root (RFC 9162, section 2.1.3). */
            path: string[];
        };
        /**
         * DocumentsRequest
         * @description Texts of tokens with consecutive ids.
         */
        DocumentsRequest: {
            salt: string;
            /**
             * @description Of the first text: 1, 51, 101 …
             * @example 1
             */
            first_token_id: string;
            /** @description 50 of them; fewer in the last request alone. */
            documents: components["schemas"]["Document"][];
        };
        /**
         * DocumentsView
         * @description The texts of tokens with consecutive ids.
         */
        DocumentsView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            first_token_id: string;
            /** @description Null where they were just handed over. */
            texts: string[] | null;
            /** @description How many there are. */
            tokens: number;
        };
        /**
         * DropCostView
         * @description What the drop's mints cost on chain so far: each its share of the transaction that made it.
         */
        DropCostView: {
            /** @description Mined lines that this covers; fewer than those that are mined while receipts are read. */
            lines: number;
            gas: number;
            /** @example 1 */
            wei: string;
        };
        /**
         * DropList
         * @description Drops of the caller's, newest first.
         */
        DropList: {
            items: components["schemas"]["DropView"][];
            /** @description Continues the list; null at its end. */
            next_cursor: string | null;
        };
        /**
         * DropMintList
         * @description Mints of a drop, in the order of its lines.
         */
        DropMintList: {
            items: components["schemas"]["MintView"][];
            /** @description Continues the list; null at its end. A short or empty page may have one, too. */
            next_cursor: string | null;
        };
        /**
         * DropRequest
         * @description A drop to be made.
         */
        DropRequest: {
            /** @description The collection; this deployment's default if absent. */
            contract?: string | null;
            /** @description What people call the drop. */
            name: string;
        };
        /**
         * DropStatus
         * @description The status of a drop.
         * @enum {string}
         */
        DropStatus: "draft" | "preparing" | "prepared" | "running" | "paused" | "completed" | "cancelled";
        /**
         * DropView
         * @description A drop.
         */
        DropView: {
            drop_id: string;
            name: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @description `draft` → `preparing` → `prepared` → `running` → `completed`; `paused` and `cancelled`. */
            status: components["schemas"]["DropStatus"];
            lines: components["schemas"]["LinesView"];
            preparation: components["schemas"]["PreparationView"];
            minting: components["schemas"]["MintingView"];
            cost: components["schemas"]["DropCostView"];
            /** @description The Merkle root over the lines that you authorize by `start`. */
            root: string | null;
            /** @description When the token of `start` or `resume` expires. */
            authorized_until: string | null;
            /** @description Why it is paused. */
            paused: components["schemas"]["ProblemView"] | null;
            /** @description When it goes on by itself. */
            resumes_at: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            started_at: string | null;
            ended_at: string | null;
        };
        /**
         * DryRunView
         * @description What a drop would do, before anything is made or spent.
         */
        DryRunView: {
            /** @description Lines that would be minted. */
            lines: number;
            /**
             * @description Tokens of those lines: in an ERC-1155 collection a line has any number of them.
             * @example 1
             */
            tokens: string;
            refused: number;
            /** @description Accepted lines for which the collection's supply cap, or the cap of their item, leaves too few tokens now: `prepare` refuses them. Null if no node says, and for lines of more than 1,000 ERC-1155 items: `lines` and `tokens` are those of all accepted lines then. */
            over_cap: number | null;
            /** @description Accepted lines whose ERC-1155 item has no metadata, or other metadata: `prepare` refuses them. Null for lines of more than 1,000 items. */
            items_refused: number | null;
            wallets: components["schemas"]["WalletsEstimate"];
            gas: number;
            gas_per_line: number;
            /**
             * @description `collection`: measured on your newest mints in it; `chain`: on those in another one; `setting`: this deployment's own figure, since none of yours is mined.
             * @enum {string}
             */
            gas_from: "collection" | "chain" | "setting";
            /** @description Empty if no node says what gas costs. */
            costs: components["schemas"]["CostEstimate"][];
            seconds_at_least: components["schemas"]["TimeEstimate"];
        };
        /**
         * EventList
         * @description Part of a log, oldest event first.
         */
        EventList: {
            events: components["schemas"]["EventView"][];
            /** @description Continues the log, as `after`. */
            next: string;
            /** @description Whether there are further events by now. */
            more: boolean;
        };
        /**
         * EventResource
         * @description What an event is about.
         */
        EventResource: {
            type: string;
            id: string;
        };
        /**
         * EventView
         * @description Something that happened.
         */
        EventView: {
            /** @description The same for the same fact, however often it is delivered. */
            id: string;
            /** @description One of: `client.budget_reached`, `collection.deployed`, `collection.frozen`, `collection.paused`, `collection.revealed`, `drop.cancelled`, `drop.completed`, `drop.lines_refused`, `drop.paused`, `drop.progressed`, `drop.resumed`, `drop.started`, `mint.accepted`, `mint.cancelled`, `mint.finalized`, `mint.mined`, `mint.rejected`, `mint.reorged`, `mint.reverted`, `mint.submitted`, `relayer.low`, `token.burned`, `token.metadata_updated`, `token.transferred`, `treasury.low`, `wallet.created`, `wallet.linked`, `webhook.disabled`, `webhook.test`. */
            type: string;
            /**
             * Format: date-time
             * @description When it happened, by the record.
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description Of two events of one resource the later has the higher. */
            sequence: number;
            resource: components["schemas"]["EventResource"];
            /** @description The resource as its `GET` had it at that moment. */
            data: {
                [key: string]: unknown;
            };
        };
        /**
         * FaultView
         * @description One fault, and where it lies.
         */
        FaultView: {
            detail: string;
            /** @description JSON pointer into the body, as a URI fragment. */
            pointer?: string | null;
            /** @description A path or query parameter. */
            parameter?: string | null;
            /** @description A request header. */
            header?: string | null;
        };
        /**
         * Health
         * @description Liveness.
         */
        Health: {
            /** @constant */
            status: "ok";
        };
        /**
         * HolderList
         * @description A collection's holders, in a fixed order of their addresses.
         */
        HolderList: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            items: components["schemas"]["HolderView"][];
            /** @description Continues the list; null at its end. A short page may have one, too. */
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * HolderView
         * @description An owner of a collection's tokens.
         */
        HolderView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            owner: string;
            /** @description The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least this many. */
            balance: number;
            /** @description Counting ends at 10,000 tokens: true if there may be more. */
            more: boolean;
        };
        /**
         * HoldsView
         * @description Whether an address owns a token.
         */
        HoldsView: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            token_id: string | null;
            holds: boolean;
            index: components["schemas"]["IndexView"];
        };
        /**
         * ImportRequest
         * @description A contract that others deployed.
         */
        ImportRequest: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @description Where the index begins to read it: the block that deployed it. Balances of ERC-1155 tokens are summed up from there. */
            from_block: number;
        };
        /**
         * Included
         * @description A value with the nodes that prove it to be in a block's trie.
         */
        Included: {
            raw: string;
            proof: string[];
        };
        /**
         * IndexView
         * @description How fresh the answer is.
         */
        IndexView: {
            /** @description The latest block in the index; null before its first. */
            head_block: number | null;
            head_timestamp: string | null;
            finalized_block: number | null;
            /** @description Seconds since the head block's timestamp. */
            lag_seconds: number | null;
            /** @description Whether the head block is older than a minute, or there is none: newer blocks may be missing from the answer. */
            behind: boolean;
        };
        /**
         * ItemCapRequest
         * @description How many tokens of an item may ever be minted.
         */
        ItemCapRequest: {
            /**
             * @description The item.
             * @example 1
             */
            token_id: string;
            /**
             * @description Burned tokens count. Not below what was minted, and an item's cap is only ever lowered.
             * @example 1
             */
            cap: string;
        };
        /**
         * ItemHolderList
         * @description A token's holders, by their addresses.
         */
        ItemHolderList: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            items: components["schemas"]["ItemHolderView"][];
            /** @description Continues the list; null at its end. */
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * ItemHolderView
         * @description A holder of a token.
         */
        ItemHolderView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            owner: string;
            /**
             * @description How many it has; 1 of an ERC-721 token.
             * @example 1
             */
            quantity: string;
        };
        /**
         * LineRequest
         * @description One of the mints.
         */
        LineRequest: {
            /** @description Who receives the token. */
            recipient: components["schemas"]["RecipientRequest"];
            /** @description In an ERC-1155 collection, the item to mint, as in `POST /v1/mints`. */
            token_id?: string | null;
            /** @description In an ERC-1155 collection, how many tokens of the item; 1 if absent. */
            quantity?: string | null;
            /** @description What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours. */
            external_id?: string | null;
            /** @description Up to 10 words by which you find the mint again, each once. */
            tags?: string[] | null;
            metadata: components["schemas"]["MetadataRequest"];
        };
        /**
         * LinesView
         * @description What was taken of the lines so far.
         */
        LinesView: {
            /** @description Null before the first upload. */
            format: ("ndjson" | "csv") | null;
            /** @description Bytes taken: where the upload goes on. */
            offset: number;
            /** @description The number of the last line, blank lines and CSV header rows included. */
            lines: number;
            accepted: number;
            /**
             * @description Tokens of the accepted lines: in an ERC-1155 collection a line has any number of them.
             * @example 1
             */
            tokens: string;
            refused: number;
            recipients: components["schemas"]["RecipientsView"];
            /** @description The same recipient and the same metadata again. */
            repeated_lines: components["schemas"]["RepetitionsView"];
            /** @description The same recipient again; in an ERC-1155 collection the same one for the same item. */
            repeated_recipients: components["schemas"]["RepetitionsView"];
        };
        /**
         * LinkList
         * @description The caller's own wallets, oldest first.
         */
        LinkList: {
            items: components["schemas"]["LinkView"][];
        };
        /**
         * LinkRequest
         * @description A challenge, signed.
         */
        LinkRequest: {
            /** @description The text that was signed: EIP-4361. */
            message: string;
            /** @description By `personal_sign`: 65 bytes of an account, up to 16 KB of a contract wallet. */
            signature: string;
        };
        /**
         * LinkView
         * @description A wallet of the caller's own.
         */
        LinkView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            chain_id: number;
            /**
             * @description `contract` for one that signs by EIP-1271.
             * @enum {string}
             */
            kind: "account" | "contract";
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            linked_at: string;
        };
        /**
         * ListedTransfer
         * @description A transfer, and the token that it is of.
         */
        ListedTransfer: {
            /** @description Null for a mint. */
            from: string | null;
            /** @description Null for a burn. */
            to: string | null;
            /** @description How many of an ERC-1155 token; null for ERC-721. */
            quantity: string | null;
            block_number: number;
            block_hash: string;
            log_index: number;
            tx_hash: string;
            /**
             * Format: date-time
             * @description The block's.
             * @example 2026-11-23T01:50:54.123Z
             */
            timestamp: string;
            /**
             * @description `finalized` once no reorg can undo it; `pending` until then.
             * @enum {string}
             */
            finality: "pending" | "finalized";
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
        };
        /**
         * ListedTransferList
         * @description Transfers, mints and burns, newest first.
         */
        ListedTransferList: {
            items: components["schemas"]["ListedTransfer"][];
            /** @description Continues the list; null at its end. A short or empty page may have one, too. */
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * MetadataRequest
         * @description A token's metadata by ERC-721 and OpenSea's standard, stored in canonical JSON.
         *
         *     Stored as given, except that an upload is named by its URL.
         */
        MetadataRequest: {
            name: string;
            description?: string | null;
            /**
             * Format: uri
             * @description An http(s), ipfs or ar URL of at most 2,048 characters, an image's data URL, or `upload:` and the id of a complete upload of yours, an image.
             */
            image: string;
            /** @description A page about the token; http(s). */
            external_url?: string | null;
            animation_url?: string | null;
            /** @description Six hex digits, without `#`. */
            background_color?: string | null;
            attributes?: components["schemas"]["Attribute"][] | null;
        };
        /**
         * MetadataVersionList
         * @description All versions of a token's metadata, newest first.
         */
        MetadataVersionList: {
            items: components["schemas"]["MetadataVersionView"][];
        };
        /**
         * MetadataVersionView
         * @description A version of a token's metadata, with the transaction that announces it.
         */
        MetadataVersionView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            chain_id: number;
            /** @example 1 */
            token_id: string;
            /** @description 1 as minted. */
            version: number;
            /** @description SHA-256 of the text. That of version 1 is in the mint's event. */
            digest: string;
            /** @description Null for version 1, which the mint made. */
            created_at: string | null;
            /** @description The machine client that made it; null for version 1. */
            client_id: string | null;
            /** @description The exact text of the version. */
            url: string;
            /** @description The transaction by which the contract says that the metadata changed (ERC-4906). */
            announcement: components["schemas"]["CollectionOperationView"] | null;
        };
        /**
         * MintLinks
         * @description Where to look next.
         */
        MintLinks: {
            self: string;
            token: string | null;
        };
        /**
         * MintList
         * @description Mints of the caller's, newest first.
         */
        MintList: {
            items: components["schemas"]["MintView"][];
            /** @description Continues the list; null at its end. A short or empty page may have one, too. */
            next_cursor: string | null;
        };
        /**
         * MintReceipt
         * @description Everything that proves a mint, for a reader who has a node of the chain.
         */
        MintReceipt: {
            /**
             * @default mintline-mint-receipt
             * @constant
             */
            type?: "mintline-mint-receipt";
            /**
             * @default 1
             * @enum {integer}
             */
            version?: 1 | 2;
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            serial?: string | null;
            quantity?: string | null;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            to: string;
            metadata: string;
            metadata_digest: string;
            block_number: number;
            block_hash: string;
            header: string;
            transaction_hash: string;
            transaction_index: number;
            transaction: components["schemas"]["Included"];
            receipt: components["schemas"]["Included"];
            log_index: number;
        };
        /**
         * MintRequest
         * @description What to mint, where, and to whom.
         */
        MintRequest: {
            /** @description The collection; this deployment's default if absent. */
            contract?: string | null;
            /** @description Who sends the transaction: your wallet in custody (`custodial`, also if absent), a linked wallet of your own (`self`), which pays the gas and receives the token, or the platform (`sponsored`), if the collection is. A machine client's mints are sponsored. */
            custody?: ("custodial" | "self" | "sponsored") | null;
            /** @description Who receives the token; your wallet in custody if absent. With self-custody a wallet that you have linked; the only one if absent. */
            to?: string | null;
            /** @description Who receives the token, instead of `to`. A machine client names one; only it may name `user` or `email`. */
            recipient?: components["schemas"]["RecipientRequest"] | null;
            /** @description What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours. */
            external_id?: string | null;
            /** @description Up to 10 words by which you find the mint again, each once. */
            tags?: string[] | null;
            /** @description In an ERC-1155 collection, the item to mint: a number of your choice, decimal. Its first mint fixes its metadata. In an ERC-721 collection the platform numbers the tokens. */
            token_id?: string | null;
            /** @description In an ERC-1155 collection, how many tokens of the item; 1 if absent. */
            quantity?: string | null;
            metadata: components["schemas"]["MetadataRequest"];
        };
        /**
         * MintStatus
         * @description The status of a mint.
         * @enum {string}
         */
        MintStatus: "accepted" | "built" | "issued" | "submitted" | "mined" | "finalized" | "rejected" | "reverted";
        /**
         * MintView
         * @description A mint: one NFT on its way to its owner.
         */
        MintView: {
            /** @example mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D */
            mint_id: string;
            /** @description `accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain) and `reverted` (mined, but failed) are the bad ends. With self-custody `issued` follows `built`: the voucher waits for your own wallet's transaction. */
            status: components["schemas"]["MintStatus"];
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @description In an ERC-1155 collection, the item's. */
            token_id: string | null;
            /** @description How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721. */
            quantity: string | null;
            /** @description In an ERC-1155 collection, the mint's own number, which its contract takes once and its event `ItemMinted` names; null in one of ERC-721. */
            serial: string | null;
            /**
             * @description Who receives the token.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            to: string;
            recipient: components["schemas"]["RecipientView"];
            /**
             * @description Who sends the transaction: the caller's wallet in custody, their own, or the platform.
             * @enum {string}
             */
            custody: "custodial" | "self" | "sponsored";
            /**
             * @description The wallet that sends the transaction: the one in custody, the linked one, or the relayer; `to` until a relayer has it.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            wallet: string;
            /** @description The machine client that asked for it; null if a user did. */
            client_id: string | null;
            /** @description What it is called by who asked for it; null for other readers. */
            external_id: string | null;
            /** @description Likewise; empty for other readers. */
            tags: string[];
            /** @description SHA-256 of the stored metadata; also in the mint's event. */
            metadata_digest: string;
            metadata_url: string | null;
            nonce: number | null;
            /** @description The mined transaction; before that, the latest one that was sent. */
            tx_hash: string | null;
            block_number: number | null;
            block_hash: string | null;
            timeline: components["schemas"]["Timeline"];
            attempts: components["schemas"]["AttemptView"][];
            /** @description What an accepted mint waits for, if somebody has to act before it can continue. */
            waiting: components["schemas"]["ProblemView"] | null;
            /** @description Why it ended badly; with self-custody also why a transaction of yours was not taken. */
            problem: components["schemas"]["ProblemView"] | null;
            /** @description Self-custody only, once the voucher is issued: all that your wallet needs. */
            self_custody: components["schemas"]["SelfCustodyView"] | null;
            links: components["schemas"]["MintLinks"];
        };
        /**
         * MintWindowRequest
         * @description When the contract mints; it never changes.
         */
        MintWindowRequest: {
            /** @description From then on; at once if absent. */
            start?: string | null;
            /** @description Until then; without end if absent. */
            end?: string | null;
        };
        /**
         * MintWindowView
         * @description When the contract mints; null: without a bound.
         */
        MintWindowView: {
            start: string | null;
            end: string | null;
        };
        /**
         * MintingView
         * @description How far the minting has come.
         */
        MintingView: {
            /** @description Lines to be minted. */
            lines: number;
            /**
             * @description Tokens that those are.
             * @example 1
             */
            tokens: string;
            /** @description Lines whose mints were accepted. */
            handed_on: number;
            /**
             * @description Tokens that those are.
             * @example 1
             */
            tokens_handed_on: string;
            /** @description Mints of the drop by their status, a few seconds old. */
            by_status: {
                [key: string]: number;
            };
            /** @description Lines mined a second since it was started or resumed. */
            per_second: number | null;
            /** @description At that rate, until the last line is mined. */
            seconds_left: number | null;
        };
        /**
         * OpenTransactionView
         * @description A transaction whose nonce is not used for good.
         */
        OpenTransactionView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            sender: string;
            nonce: number;
            /** @description What it does: `batch`, `mint`, `top_up` and so on. */
            kind: string;
            /** @description How many operations it carries. */
            operations: number;
            /** @description `reserved`, `submitted` or `mined`. */
            state: string;
            /** @description Whether its nonce is filled by a transaction that does nothing. */
            filling: boolean;
            /** @description How many were signed; each pays more than the one before. */
            attempts: number;
            /** @description The mined attempt's, else the latest's. */
            tx_hash: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            reserved_at: string;
            submitted_at: string | null;
        };
        /**
         * PipelineView
         * @description The pipeline. A part that did not respond within seconds is null, and named in `missing`.
         */
        PipelineView: {
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            read_at: string;
            missing: ("queues" | "dead_letters" | "chain" | "index" | "operations" | "transactions" | "senders")[];
            queues: components["schemas"]["QueueView"][] | null;
            /** @description The first 20 dead letters of each queue, at most ten of each sender, up to 15 seconds old; null as well if the queues are. */
            dead_letters: components["schemas"]["DeadLetterView"][] | null;
            blocks: components["schemas"]["BlocksView"];
            /** @description Operations that no transaction carries yet, the 20 oldest. Mints whose voucher waits for their user's own wallet are left out. */
            operations: components["schemas"]["WaitingOperationView"][] | null;
            /** @description Transactions whose nonce is not used for good, the 20 oldest. */
            transactions: components["schemas"]["OpenTransactionView"][] | null;
            /** @description The treasury and the relayers; null as well if the API knows no node. */
            senders: components["schemas"]["SenderView"][] | null;
        };
        /**
         * PreparationView
         * @description How far the drop's preparation has come.
         */
        PreparationView: {
            /** @description The drop's lines are prepared and minted in parts of at most 250. */
            parts: number;
            prepared: number;
            /** @description Users who were made for e-mail addresses, each with a wallet. */
            users_made: number;
            /** @description Lines that the preparation refused: their recipient is no user of the pool, or has no usable wallet, they are over a cap, or their ERC-1155 item has no metadata, or other metadata. `…/refused` returns them too. */
            unresolved: number;
            /** @description How many of those are beyond the collection's supply cap (`collection-full`), or the cap of their item (`item_full`). */
            over_cap: number;
        };
        /**
         * ProblemDocument
         * @description Why a request was not answered as asked (RFC 9457).
         */
        ProblemDocument: {
            /** @description URI of the problem type; explained there. */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong this time, and what to do. */
            detail: string;
            /** @description The path of the request. */
            instance: string;
            /** @description The problem type's slug: the same on every deployment. */
            code: string;
            /** @description Names the request in our logs; quote it to support. */
            trace: string;
            /** @description Each fault of an invalid request. */
            errors?: components["schemas"]["FaultView"][] | null;
        };
        /**
         * ProblemView
         * @description What went wrong: a stable code, and a sentence to show.
         */
        ProblemView: {
            code: string;
            reason: string;
        };
        /**
         * PutView
         * @description The request that puts the file's bytes, as its body. It needs no access token.
         */
        PutView: {
            /**
             * @default PUT
             * @constant
             */
            method: "PUT";
            url: string;
            /** @description To be sent exactly so. */
            headers: {
                [key: string]: string;
            };
            /**
             * Format: date-time
             * @description Until when it works, or less.
             * @example 2026-11-23T01:50:54.123Z
             */
            expires_at: string;
        };
        /**
         * QueueView
         * @description A queue; the numbers are approximate, as SQS has them.
         */
        QueueView: {
            name: string;
            /** @description Messages that wait for a consumer. */
            waiting: number;
            /** @description Messages that a consumer has, or that are hidden until the next try. */
            in_flight: number;
            /** @description Dead letters. */
            dead_letters: number;
        };
        /**
         * Readiness
         * @description Each dependency, `ok` or what is wrong with it; `missing` names those that are not `ok`.
         */
        Readiness: {
            /** @enum {string} */
            status: "ready" | "not_ready";
            missing: string[];
            checks: {
                [key: string]: string;
            };
        };
        /**
         * RecipientRequest
         * @description Who is to have the token: exactly one of the members.
         */
        RecipientRequest: {
            /**
             * @description An address on the chain; the same as `to`.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            address?: string;
            /** @description The `sub` of a user of the pool, whose wallet in custody it goes to. */
            user?: string;
            /**
             * Format: email
             * @description An e-mail address. If nobody in the pool has it, a user and their wallet are made: their token is there at their first sign-in. The same address is always the same user. Takes the scope `users:write` too.
             * @example ada@example.com
             */
            email?: string;
        };
        /**
         * RecipientView
         * @description Who receives the token.
         */
        RecipientView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            /** @description The `sub` of the user whom the request named, by `user` or `email`; null if it named an address. The e-mail address itself is not stored. */
            user: string | null;
        };
        /**
         * RecipientsView
         * @description Distinct recipients of the accepted lines.
         */
        RecipientsView: {
            addresses: number;
            users: number;
            emails: number;
        };
        /**
         * RedriveRequest
         * @description Which dead letters go back to their queue.
         */
        RedriveRequest: {
            /**
             * @description The queue that they come from.
             * @enum {string}
             */
            queue: "build" | "sign" | "broadcast";
            /** @description Ids of dead letters; null: the first 100 of the queue, in order, and the next 100 when it is repeated. */
            message_ids?: string[] | null;
        };
        /**
         * RedriveView
         * @description What was sent back.
         */
        RedriveView: {
            queue: string;
            /** @description Ids of the dead letters that are in their queue again. */
            redriven: string[];
            /** @description Ids that were asked for and are not among the first 1,000 dead letters: they were sent back before, or somebody who looks at them holds them, for up to a minute. */
            missing: string[];
        };
        /**
         * RepetitionView
         * @description A line that repeats something, and the first line that has it.
         */
        RepetitionView: {
            line: number;
            first: number;
        };
        /**
         * RepetitionsView
         * @description Lines that repeat something of an earlier line; they are minted all the same.
         */
        RepetitionsView: {
            count: number;
            /** @description The first 50. */
            examples: components["schemas"]["RepetitionView"][];
        };
        /**
         * ReplayRequest
         * @description Where deliveries are to begin again.
         */
        ReplayRequest: {
            /** @description A position of the event log: `next` of `GET /v1/events`. All events after it are sent. One behind the log's end is refused. null: from the oldest event that is kept. */
            after?: string | null;
        };
        /**
         * RevealPublication
         * @description What the commitment was made with.
         */
        RevealPublication: {
            salt: string;
        };
        /**
         * RevealRequest
         * @description A commitment to metadata that is revealed later, for good.
         */
        RevealRequest: {
            /** @description `mintline collections commit` makes it. */
            commitment: string;
            /** @description How many texts it is to, for the token ids from 1 on. */
            tokens: number;
        };
        /**
         * RevealView
         * @description Metadata that was committed to, and is revealed later.
         */
        RevealView: {
            /** @description What the contract's `metadataCommitment` gives. */
            commitment: string;
            /** @description How many texts it is to, for the token ids from 1 on. */
            tokens: number;
            /** @description Null until it is revealed, like `revealed_at`. */
            salt: string | null;
            revealed_at: string | null;
        };
        /**
         * RoyaltiesRequest
         * @description What marketplaces are asked to pay at a sale (ERC-2981).
         */
        RoyaltiesRequest: {
            /**
             * @description Who receives them.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            receiver: string;
            /** @description Hundredths of a percent of the price: 500 are 5 %. */
            bps: number;
        };
        /**
         * RoyaltiesView
         * @description What marketplaces are asked to pay at a sale (ERC-2981).
         */
        RoyaltiesView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            receiver: string;
            bps: number;
        };
        /**
         * SecretView
         * @description A client's new secret.
         */
        SecretView: {
            client_id: string;
            /** @description Shown this once. */
            client_secret: string;
        };
        /**
         * SelfCustodyView
         * @description All that the user's own wallet needs to redeem the voucher.
         */
        SelfCustodyView: {
            voucher: components["schemas"]["VoucherView"];
            /** @description The voucher as EIP-712 has it, with domain and types: what the signature is over. */
            typed_data: {
                [key: string]: unknown;
            };
            /** @description What to sign and send, or to post; null in lists, and once there is nothing to sign. */
            transaction: components["schemas"]["UnsignedTransaction"] | null;
        };
        /**
         * SenderView
         * @description A key that pays for gas.
         */
        SenderView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            /** @enum {string} */
            role: "treasury" | "relayer";
            /** @example 1 */
            balance: string;
            /** @description How many it sent in the last 24 hours. */
            transactions: number;
            /**
             * @description What these would cost at the present price of gas, if each used its gas limit.
             * @example 1
             */
            per_day: string;
            /** @description How long the balance lasts at that rate; null: it sent nothing. */
            days_left: number | null;
        };
        /**
         * SignInView
         * @description Where access tokens are had: the protected resource metadata of RFC 9728, and what Mintline adds.
         */
        SignInView: {
            /** @description This API. */
            resource: string;
            /** @description The user pool's issuer. */
            authorization_servers: string[];
            scopes_supported: string[];
            bearer_methods_supported: "header"[];
            resource_documentation: string;
            /** @description Where users sign in, by the authorization code flow with PKCE. */
            authorization_endpoint: string;
            /** @description Where codes and client credentials are exchanged for tokens. */
            token_endpoint: string;
            /** @description The public client by which users sign in; it has no secret. */
            client_id: string;
            /** @description What a user's token can be given for. */
            user_scopes: string[];
        };
        /**
         * TestView
         * @description A test event that will be sent.
         */
        TestView: {
            /** @description The event's id, which `webhook-id` will be. */
            event_id: string;
        };
        /**
         * TimeEstimate
         * @description How long it takes at least.
         */
        TimeEstimate: {
            /** @description Seconds to make the wallets, at the pace that is set. */
            preparation: number;
            /** @description Seconds of the chain's blocks, if the drop had half of each block; null if no node says. */
            minting: number | null;
        };
        /**
         * Timeline
         * @description When the mint reached each stage, by our clocks.
         */
        Timeline: {
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            accepted_at: string;
            built_at: string | null;
            /** @description Self-custody only: when the voucher was signed. */
            issued_at: string | null;
            submitted_at: string | null;
            mined_at: string | null;
            finalized_at: string | null;
            /** @description When you asked to stop it. Until the status is `rejected`, it may still be mined. */
            cancel_requested_at: string | null;
        };
        /**
         * TokenList
         * @description An owner's tokens, by contract and token id.
         */
        TokenList: {
            /** @description With `include=metadata` each has `metadata` and `metadata_verified` as well. */
            items: (components["schemas"]["TokenSummary"] | components["schemas"]["TokenWithMetadata"])[];
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * TokenMint
         * @description The mint of ours that made a token.
         */
        TokenMint: {
            /** @description Shown to the user who minted it; null to others. */
            mint_id: string | null;
            status: components["schemas"]["MintStatus"];
        };
        /**
         * TokenOperationLinks
         * @description Where to look next.
         */
        TokenOperationLinks: {
            self: string;
            token: string;
        };
        /**
         * TokenOperationTimeline
         * @description When it reached each stage, by our clocks.
         */
        TokenOperationTimeline: {
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            accepted_at: string;
            built_at: string | null;
            submitted_at: string | null;
            mined_at: string | null;
            finalized_at: string | null;
            /** @description When you asked to stop it. Until the status is `rejected`, it may still be mined. */
            cancel_requested_at: string | null;
        };
        /**
         * TokenPatch
         * @description What is to change of a token.
         */
        TokenPatch: {
            /** @description Replaces all of it. */
            metadata: components["schemas"]["MetadataRequest"];
        };
        /**
         * TokenSummary
         * @description A token as the index knows it.
         */
        TokenSummary: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            /** @enum {string} */
            standard: "erc721" | "erc1155";
            /** @description Null once the token is burned, and for an ERC-1155 token, which has holders. */
            owner: string | null;
            /** @description False for an ERC-1155 token: `supply` tells how many there are. */
            burned: boolean;
            /** @description How many of an ERC-1155 token exist; null for ERC-721. */
            supply: string | null;
            /** @description In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise. */
            quantity: string | null;
            /** @description From the mint's event on chain. */
            metadata_digest: string | null;
            metadata_url: string;
            minted_block: number;
            /** @description The block of the token's latest transfer; of an ERC-1155 token, of its first. */
            block_number: number;
            /** @description The transaction of that transfer. */
            tx_hash: string;
            /**
             * @description `finalized` once no reorg can undo it; `pending` until then.
             * @enum {string}
             */
            finality: "pending" | "finalized";
        };
        /**
         * TokenView
         * @description A token with its metadata, the mint that made it, and the index's freshness.
         */
        TokenView: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            /** @enum {string} */
            standard: "erc721" | "erc1155";
            /** @description Null once the token is burned, and for an ERC-1155 token, which has holders. */
            owner: string | null;
            /** @description False for an ERC-1155 token: `supply` tells how many there are. */
            burned: boolean;
            /** @description How many of an ERC-1155 token exist; null for ERC-721. */
            supply: string | null;
            /** @description In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise. */
            quantity: string | null;
            /** @description From the mint's event on chain. */
            metadata_digest: string | null;
            metadata_url: string;
            minted_block: number;
            /** @description The block of the token's latest transfer; of an ERC-1155 token, of its first. */
            block_number: number;
            /** @description The transaction of that transfer. */
            tx_hash: string;
            /**
             * @description `finalized` once no reorg can undo it; `pending` until then.
             * @enum {string}
             */
            finality: "pending" | "finalized";
            metadata: {
                [key: string]: unknown;
            } | null;
            /** @description Whether the stored metadata has the digest that the chain vouches for; null if either is unknown, and for a version after the minted one. */
            metadata_verified: boolean | null;
            /** @description 1 as minted; higher once its collection's client has replaced it. Null without metadata. */
            metadata_version: number | null;
            /** @description How many of an ERC-1155 token were ever minted, burned ones included, by its contract now. Null for ERC-721, for an imported contract, and if no node answers. */
            minted: string | null;
            /** @description How many of it may ever be minted. Null without a cap, and where `minted` is null. */
            item_cap: string | null;
            mint: components["schemas"]["TokenMint"] | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * TokenWithMetadata
         * @description A token of a list, with its metadata.
         */
        TokenWithMetadata: {
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            /** @enum {string} */
            standard: "erc721" | "erc1155";
            /** @description Null once the token is burned, and for an ERC-1155 token, which has holders. */
            owner: string | null;
            /** @description False for an ERC-1155 token: `supply` tells how many there are. */
            burned: boolean;
            /** @description How many of an ERC-1155 token exist; null for ERC-721. */
            supply: string | null;
            /** @description In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise. */
            quantity: string | null;
            /** @description From the mint's event on chain. */
            metadata_digest: string | null;
            metadata_url: string;
            minted_block: number;
            /** @description The block of the token's latest transfer; of an ERC-1155 token, of its first. */
            block_number: number;
            /** @description The transaction of that transfer. */
            tx_hash: string;
            /**
             * @description `finalized` once no reorg can undo it; `pending` until then.
             * @enum {string}
             */
            finality: "pending" | "finalized";
            metadata: {
                [key: string]: unknown;
            } | null;
            /** @description Whether the stored metadata has the digest that the chain vouches for; null if either is unknown, and for a version after the minted one. */
            metadata_verified: boolean | null;
            /** @description 1 as minted; higher once its collection's client has replaced it. Null without metadata. */
            metadata_version: number | null;
        };
        /**
         * TransactionRequest
         * @description A transaction, signed by the user's own wallet.
         */
        TransactionRequest: {
            /** @description The signed transaction, as `eth_sendRawTransaction` takes it. */
            raw: string;
        };
        /**
         * TransferList
         * @description A token's transfers, newest first.
         */
        TransferList: {
            items: components["schemas"]["TransferView"][];
            next_cursor: string | null;
            index: components["schemas"]["IndexView"];
        };
        /**
         * TransferOperationView
         * @description A token on its way out of custody.
         */
        TransferOperationView: {
            /** @description `accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain) and `reverted` (mined, but failed) are the bad ends. */
            status: components["schemas"]["MintStatus"];
            chain_id: number;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /** @example 1 */
            token_id: string;
            /** @description How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721. */
            quantity: string | null;
            /**
             * @description Your wallet in custody, which holds the token.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            wallet: string;
            /**
             * @description Who sends the transaction and pays its gas. `relayer`: a key of the platform's, by your wallet's signature, in collections that were made by `POST /v1/collections`; your wallet needs no ether, and its nonce stays. `wallet`: your wallet itself, which the platform gives the gas.
             * @enum {string}
             */
            paid_by: "wallet" | "relayer";
            /** @description Of the transaction's sender. */
            nonce: number | null;
            /** @description The mined transaction; before that, the latest one that was sent. */
            tx_hash: string | null;
            block_number: number | null;
            block_hash: string | null;
            timeline: components["schemas"]["TokenOperationTimeline"];
            attempts: components["schemas"]["AttemptView"][];
            /** @description What it waits for while `accepted`, if somebody has to act before it can continue. */
            waiting: components["schemas"]["ProblemView"] | null;
            /** @description Why it ended badly. */
            problem: components["schemas"]["ProblemView"] | null;
            links: components["schemas"]["TokenOperationLinks"];
            /** @example transfer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D */
            transfer_id: string;
            /**
             * @description Who receives the token.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            to: string;
        };
        /**
         * TransferRequest
         * @description Which token of the wallet in custody to send, and where to.
         */
        TransferRequest: {
            /** @description The collection; this deployment's default if absent. */
            contract?: string | null;
            /**
             * @description Decimal. A token that your wallet in custody holds; in an ERC-1155 collection, the item.
             * @example 1
             */
            token_id: string;
            /** @description In an ERC-1155 collection, how many tokens of the item; 1 if absent. */
            quantity?: string | null;
            /**
             * @description Who receives the token; a contract must accept tokens of the collection's standard.
             * @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
             */
            to: string;
        };
        /**
         * TransferView
         * @description One transfer on chain, in the words of ERC-721's event, or of ERC-1155's for one token id.
         */
        TransferView: {
            /** @description Null for a mint. */
            from: string | null;
            /** @description Null for a burn. */
            to: string | null;
            /** @description How many of an ERC-1155 token; null for ERC-721. */
            quantity: string | null;
            block_number: number;
            block_hash: string;
            log_index: number;
            tx_hash: string;
            /**
             * Format: date-time
             * @description The block's.
             * @example 2026-11-23T01:50:54.123Z
             */
            timestamp: string;
            /**
             * @description `finalized` once no reorg can undo it; `pending` until then.
             * @enum {string}
             */
            finality: "pending" | "finalized";
        };
        UnsignedTransaction: {
            [key: string]: unknown;
        };
        /**
         * UploadRequest
         * @description The file that is to be put.
         */
        UploadRequest: {
            /**
             * @description Its type, which its bytes have to show.
             * @enum {string}
             */
            content_type: "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif" | "video/mp4" | "video/webm" | "model/gltf-binary";
            /** @description Its bytes. */
            size: number;
            /** @description Of its bytes. */
            sha256: string;
        };
        /**
         * UploadView
         * @description A file on its way to where everyone gets it.
         */
        UploadView: {
            /** @example upload_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D */
            upload_id: string;
            /** @enum {string} */
            status: "waiting" | "complete";
            content_type: string;
            size: number;
            sha256: string;
            /** @description Where everyone gets it, permanently; null until it is complete. */
            url: string | null;
            /** @description The IPFS content id of the bytes, as `ipfs add --cid-version=1` gives it with chunks of 256 KiB. Nothing is put into IPFS; null until it is complete. */
            cid: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            completed_at: string | null;
            /** @description How to put the bytes; only when the upload is created. */
            put: components["schemas"]["PutView"] | null;
        };
        /**
         * UseView
         * @description What a client has used of its budget by now.
         */
        UseView: {
            /** @description Mints accepted in this hour. */
            mints: number;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            mints_reset_at: string;
            /**
             * @description Wei counted in this UTC day.
             * @example 1
             */
            wei: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            wei_reset_at: string;
        };
        /**
         * UserRequest
         * @description Whose user and wallet are to be there.
         */
        UserRequest: {
            /**
             * Format: email
             * @description The user's e-mail address. Nothing is sent to it.
             * @example ada@example.com
             */
            email: string;
        };
        /**
         * UserView
         * @description A user of the pool. Their address is not shown: the caller knows it.
         */
        UserView: {
            /** @description Names the user permanently; `recipient.user` of a mint. */
            sub: string;
            /** @description Their wallet in custody; null until something needs it. */
            wallet: string | null;
            /**
             * Format: date-time
             * @description When the user was made in the pool.
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
        };
        /**
         * VoucherView
         * @description What the contract takes, once, from anyone, for the recipient.
         */
        VoucherView: {
            /** @example 1 */
            token_id: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            to: string;
            metadata_digest: string;
            /** @description Unix seconds; the contract refuses the voucher after it. */
            deadline: number;
            /**
             * Format: date-time
             * @description The same as a date.
             * @example 2026-11-23T01:50:54.123Z
             */
            expires_at: string;
            /** @description The issuer's, 65 bytes: the second argument of `redeem`. */
            signature: string;
        };
        /**
         * WaitingOperationView
         * @description An operation that no transaction carries yet.
         */
        WaitingOperationView: {
            operation_id: string;
            /** @description What it is: `mint`, `transfer`, `deploy` and so on. */
            kind: string;
            status: string;
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            contract: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description What it waits for, if somebody has to act. */
            waiting: components["schemas"]["ProblemView"] | null;
            /** @description The `message_id` of the dead letter in `dead_letters` that is about it. */
            dead_letter: string | null;
        };
        /**
         * WalletView
         * @description The caller's wallet in custody.
         */
        WalletView: {
            /** @example 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 */
            address: string;
            chain_id: number;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /** @description When the wallet's key is destroyed, if it is to be: nothing is minted with it any more. */
            deletes_at: string | null;
        };
        /**
         * WalletsEstimate
         * @description How many wallets `prepare` will make.
         */
        WalletsEstimate: {
            /** @description Estimated from the recipients that were looked up. */
            to_make: number;
            at_most: number;
            /** @description Recipients that were looked up; all of them if the number is exact. */
            looked_up: number;
            exact: boolean;
        };
        /**
         * WebhookChange
         * @description What is to change of a webhook; what is left out stays.
         */
        WebhookChange: {
            /** @description Where events are posted to: https, a host on the public Internet, port 443 or one from 1024 on. */
            url?: string | null;
            /** @description Types of the events that are delivered; null: all, those of later releases too. */
            types?: ("client.budget_reached" | "collection.deployed" | "collection.frozen" | "collection.paused" | "collection.revealed" | "drop.cancelled" | "drop.completed" | "drop.lines_refused" | "drop.paused" | "drop.progressed" | "drop.resumed" | "drop.started" | "mint.accepted" | "mint.cancelled" | "mint.finalized" | "mint.mined" | "mint.rejected" | "mint.reorged" | "mint.reverted" | "mint.submitted" | "relayer.low" | "token.burned" | "token.metadata_updated" | "token.transferred" | "treasury.low" | "wallet.created" | "wallet.linked" | "webhook.disabled" | "webhook.test")[] | null;
            /** @description What you call it. */
            description?: string | null;
            /** @description `enabled`: what was not acknowledged is sent again. `disabled`: nothing is sent. */
            status?: ("enabled" | "disabled") | null;
        };
        /**
         * WebhookList
         * @description Your webhooks, newest first.
         */
        WebhookList: {
            items: components["schemas"]["WebhookView"][];
        };
        /**
         * WebhookRequest
         * @description A webhook to be made.
         */
        WebhookRequest: {
            /** @description Where events are posted to: https, a host on the public Internet, port 443 or one from 1024 on. */
            url: string;
            /** @description Types of the events that are delivered; null: all, those of later releases too. */
            types?: ("client.budget_reached" | "collection.deployed" | "collection.frozen" | "collection.paused" | "collection.revealed" | "drop.cancelled" | "drop.completed" | "drop.lines_refused" | "drop.paused" | "drop.progressed" | "drop.resumed" | "drop.started" | "mint.accepted" | "mint.cancelled" | "mint.finalized" | "mint.mined" | "mint.rejected" | "mint.reorged" | "mint.reverted" | "mint.submitted" | "relayer.low" | "token.burned" | "token.metadata_updated" | "token.transferred" | "treasury.low" | "wallet.created" | "wallet.linked" | "webhook.disabled" | "webhook.test")[] | null;
            /**
             * @description What you call it.
             * @default
             */
            description?: string;
            /** @description Whose events it delivers: yours if you leave it out; `operators` needs the scope `admin`. */
            principal?: "operators" | null;
        };
        /**
         * WebhookView
         * @description A webhook.
         */
        WebhookView: {
            webhook_id: string;
            /** @description Where events are posted to. */
            url: string;
            /** @description Types of the events that are delivered; null: all. */
            types: string[] | null;
            description: string;
            /** @enum {string} */
            status: "enabled" | "disabled";
            /** @description Why the deliveries were stopped; null if they were not, or if you disabled the webhook. */
            disabled_reason: string | null;
            /** @description Verifies signatures of the kind `v1a` (Ed25519); it changes with the secret. */
            public_key: string;
            /** @description Events that were sent, and not acknowledged yet. */
            failing: number;
            /** @description When these are sent again; null if there are none. */
            next_attempt_at: string | null;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @example 2026-11-23T01:50:54.123Z
             */
            updated_at: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type AttemptList = components['schemas']['AttemptList'];
export type AttemptView = components['schemas']['AttemptView'];
export type Attribute = components['schemas']['Attribute'];
export type BalanceView = components['schemas']['BalanceView'];
export type BlocksView = components['schemas']['BlocksView'];
export type BudgetRequest = components['schemas']['BudgetRequest'];
export type BudgetView = components['schemas']['BudgetView'];
export type BulkLinks = components['schemas']['BulkLinks'];
export type BulkRequest = components['schemas']['BulkRequest'];
export type BulkView = components['schemas']['BulkView'];
export type BurnOperationView = components['schemas']['BurnOperationView'];
export type BurnRequest = components['schemas']['BurnRequest'];
export type ChallengeRequest = components['schemas']['ChallengeRequest'];
export type ChallengeView = components['schemas']['ChallengeView'];
export type ClientChange = components['schemas']['ClientChange'];
export type ClientList = components['schemas']['ClientList'];
export type ClientRequest = components['schemas']['ClientRequest'];
export type ClientUseView = components['schemas']['ClientUseView'];
export type ClientView = components['schemas']['ClientView'];
export type CollectionLinks = components['schemas']['CollectionLinks'];
export type CollectionList = components['schemas']['CollectionList'];
export type CollectionMetadata = components['schemas']['CollectionMetadata'];
export type CollectionOperationView = components['schemas']['CollectionOperationView'];
export type CollectionPatch = components['schemas']['CollectionPatch'];
export type CollectionRequest = components['schemas']['CollectionRequest'];
export type CollectionSummary = components['schemas']['CollectionSummary'];
export type CollectionTokenList = components['schemas']['CollectionTokenList'];
export type CollectionView = components['schemas']['CollectionView'];
export type CostEstimate = components['schemas']['CostEstimate'];
export type CreatedClientView = components['schemas']['CreatedClientView'];
export type CreatedWebhookView = components['schemas']['CreatedWebhookView'];
export type DeadLetterView = components['schemas']['DeadLetterView'];
export type DeliveryAttemptView = components['schemas']['DeliveryAttemptView'];
export type Document = components['schemas']['Document'];
export type DocumentsRequest = components['schemas']['DocumentsRequest'];
export type DocumentsView = components['schemas']['DocumentsView'];
export type DropCostView = components['schemas']['DropCostView'];
export type DropList = components['schemas']['DropList'];
export type DropMintList = components['schemas']['DropMintList'];
export type DropRequest = components['schemas']['DropRequest'];
export type DropStatus = components['schemas']['DropStatus'];
export type DropView = components['schemas']['DropView'];
export type DryRunView = components['schemas']['DryRunView'];
export type EventList = components['schemas']['EventList'];
export type EventResource = components['schemas']['EventResource'];
export type EventView = components['schemas']['EventView'];
export type FaultView = components['schemas']['FaultView'];
export type Health = components['schemas']['Health'];
export type HolderList = components['schemas']['HolderList'];
export type HolderView = components['schemas']['HolderView'];
export type HoldsView = components['schemas']['HoldsView'];
export type ImportRequest = components['schemas']['ImportRequest'];
export type Included = components['schemas']['Included'];
export type IndexView = components['schemas']['IndexView'];
export type ItemCapRequest = components['schemas']['ItemCapRequest'];
export type ItemHolderList = components['schemas']['ItemHolderList'];
export type ItemHolderView = components['schemas']['ItemHolderView'];
export type LineRequest = components['schemas']['LineRequest'];
export type LinesView = components['schemas']['LinesView'];
export type LinkList = components['schemas']['LinkList'];
export type LinkRequest = components['schemas']['LinkRequest'];
export type LinkView = components['schemas']['LinkView'];
export type ListedTransfer = components['schemas']['ListedTransfer'];
export type ListedTransferList = components['schemas']['ListedTransferList'];
export type MetadataRequest = components['schemas']['MetadataRequest'];
export type MetadataVersionList = components['schemas']['MetadataVersionList'];
export type MetadataVersionView = components['schemas']['MetadataVersionView'];
export type MintLinks = components['schemas']['MintLinks'];
export type MintList = components['schemas']['MintList'];
export type MintReceipt = components['schemas']['MintReceipt'];
export type MintRequest = components['schemas']['MintRequest'];
export type MintStatus = components['schemas']['MintStatus'];
export type MintView = components['schemas']['MintView'];
export type MintWindowRequest = components['schemas']['MintWindowRequest'];
export type MintWindowView = components['schemas']['MintWindowView'];
export type MintingView = components['schemas']['MintingView'];
export type OpenTransactionView = components['schemas']['OpenTransactionView'];
export type PipelineView = components['schemas']['PipelineView'];
export type PreparationView = components['schemas']['PreparationView'];
export type ProblemDocument = components['schemas']['ProblemDocument'];
export type ProblemView = components['schemas']['ProblemView'];
export type PutView = components['schemas']['PutView'];
export type QueueView = components['schemas']['QueueView'];
export type Readiness = components['schemas']['Readiness'];
export type RecipientRequest = components['schemas']['RecipientRequest'];
export type RecipientView = components['schemas']['RecipientView'];
export type RecipientsView = components['schemas']['RecipientsView'];
export type RedriveRequest = components['schemas']['RedriveRequest'];
export type RedriveView = components['schemas']['RedriveView'];
export type RepetitionView = components['schemas']['RepetitionView'];
export type RepetitionsView = components['schemas']['RepetitionsView'];
export type ReplayRequest = components['schemas']['ReplayRequest'];
export type RevealPublication = components['schemas']['RevealPublication'];
export type RevealRequest = components['schemas']['RevealRequest'];
export type RevealView = components['schemas']['RevealView'];
export type RoyaltiesRequest = components['schemas']['RoyaltiesRequest'];
export type RoyaltiesView = components['schemas']['RoyaltiesView'];
export type SecretView = components['schemas']['SecretView'];
export type SelfCustodyView = components['schemas']['SelfCustodyView'];
export type SenderView = components['schemas']['SenderView'];
export type SignInView = components['schemas']['SignInView'];
export type TestView = components['schemas']['TestView'];
export type TimeEstimate = components['schemas']['TimeEstimate'];
export type Timeline = components['schemas']['Timeline'];
export type TokenList = components['schemas']['TokenList'];
export type TokenMint = components['schemas']['TokenMint'];
export type TokenOperationLinks = components['schemas']['TokenOperationLinks'];
export type TokenOperationTimeline = components['schemas']['TokenOperationTimeline'];
export type TokenPatch = components['schemas']['TokenPatch'];
export type TokenSummary = components['schemas']['TokenSummary'];
export type TokenView = components['schemas']['TokenView'];
export type TokenWithMetadata = components['schemas']['TokenWithMetadata'];
export type TransactionRequest = components['schemas']['TransactionRequest'];
export type TransferList = components['schemas']['TransferList'];
export type TransferOperationView = components['schemas']['TransferOperationView'];
export type TransferRequest = components['schemas']['TransferRequest'];
export type TransferView = components['schemas']['TransferView'];
export type UnsignedTransaction = components['schemas']['UnsignedTransaction'];
export type UploadRequest = components['schemas']['UploadRequest'];
export type UploadView = components['schemas']['UploadView'];
export type UseView = components['schemas']['UseView'];
export type UserRequest = components['schemas']['UserRequest'];
export type UserView = components['schemas']['UserView'];
export type VoucherView = components['schemas']['VoucherView'];
export type WaitingOperationView = components['schemas']['WaitingOperationView'];
export type WalletView = components['schemas']['WalletView'];
export type WalletsEstimate = components['schemas']['WalletsEstimate'];
export type WebhookChange = components['schemas']['WebhookChange'];
export type WebhookList = components['schemas']['WebhookList'];
export type WebhookRequest = components['schemas']['WebhookRequest'];
export type WebhookView = components['schemas']['WebhookView'];
