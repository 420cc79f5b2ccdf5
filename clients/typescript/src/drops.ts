import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import { Refused, Rejected, Unavailable } from "./errors.ts";
import type { DropRequest, DropStatus, DropView, DryRunView, LinesView, MintView } from "./schema.ts";
import { follow, type WaitOptions } from "./waiting.ts";

/** Uploads that may break off one after another without any byte taken. */
const TRIES = 5;
const PAUSE_SECONDS = 1;
/** The code of the refusal of bytes that do not follow those taken: of a broken upload, more may still arrive. */
const MOVED_ON = "upload-offset";
const STOPPED: readonly DropStatus[] = ["paused", "cancelled", "completed"];

/** A machine client's drops. Calls throw Refused for what the API refuses, and Unavailable. */
export class Drops {
  constructor(private readonly api: Api) {}

  /** Makes an empty drop; the same idempotency key is the same drop. */
  create(request: DropRequest, options: WriteOptions = {}): Promise<DropView> {
    return this.api.post("/v1/drops", request, options);
  }

  get(dropId: string, options: CallOptions = {}): Promise<DropView> {
    return this.api.get(path`/v1/drops/${dropId}`, {}, options);
  }

  /** Yields the client's drops, newest first. */
  list(options: CallOptions = {}): AsyncGenerator<DropView, void, undefined> {
    return this.api.pages("/v1/drops", {}, options);
  }

  /**
   * Uploads lines from where the drop's upload stands, and continues an upload that breaks off.
   *
   * `beginsAt` is the drop's byte that the first byte of `lines` is: 0 for the first file, and for another one what
   * `offset` returned before it. Throws RangeError for lines that do not reach to where the upload stands.
   */
  async upload(
    dropId: string,
    lines: Blob,
    options: { mediaType: "application/x-ndjson" | "text/csv"; beginsAt?: number },
  ): Promise<LinesView> {
    const begin = options.beginsAt ?? 0;
    let offset = -1;
    let broke = false;
    for (let failures = 0; ; ) {
      const before = offset;
      offset = await this.offset(dropId);
      if (offset < begin || offset > begin + lines.size) {
        throw new RangeError(`the drop has ${offset} bytes, and these lines are its bytes from ${begin} on`);
      }
      failures = offset === before ? failures + 1 : 0;
      const headers = { "content-type": options.mediaType, "upload-offset": String(offset) };
      try {
        return await this.api.send("PATCH", path`/v1/drops/${dropId}/lines`, lines.slice(offset - begin), headers);
      } catch (error) {
        // Without a break of this upload, those bytes are another one's: two files must not be mixed.
        const late = broke && error instanceof Refused && error.code === MOVED_ON;
        if (!(late || error instanceof Unavailable) || failures >= TRIES) throw error;
        broke = true;
        await this.api.sleep(PAUSE_SECONDS);
      }
    }
  }

  /** Returns how many bytes of lines a drop has taken, of all files. */
  async offset(dropId: string, options: CallOptions = {}): Promise<number> {
    return (await this.api.get<LinesView>(path`/v1/drops/${dropId}/lines`, {}, options)).offset;
  }

  /** Returns the refused lines in the format in which they came, with the reasons. */
  refused(dropId: string, options: CallOptions = {}): Promise<Uint8Array> {
    return this.api.getBytes(path`/v1/drops/${dropId}/refused`, options);
  }

  /** Returns what a drop would make, cost and take, before anything is made or spent. */
  dryRun(dropId: string): Promise<DryRunView> {
    return this.api.post(path`/v1/drops/${dropId}/dry-run`);
  }

  /** Makes the users, wallets and token ids of a drop; it takes no more lines. */
  prepare(dropId: string): Promise<DropView> {
    return this.api.post(path`/v1/drops/${dropId}/prepare`);
  }

  /** Authorizes a prepared drop, and has its lines minted. */
  start(dropId: string): Promise<DropView> {
    return this.api.post(path`/v1/drops/${dropId}/start`);
  }

  /** Hands on no more lines of a drop; those that were are minted. */
  pause(dropId: string): Promise<DropView> {
    return this.api.post(path`/v1/drops/${dropId}/pause`);
  }

  /** Goes on with a paused drop, authorized by a fresh token. */
  resume(dropId: string): Promise<DropView> {
    return this.api.post(path`/v1/drops/${dropId}/resume`);
  }

  /** Hands on no more lines of a drop, permanently; those that were are minted. */
  cancel(dropId: string): Promise<DropView> {
    return this.api.post(path`/v1/drops/${dropId}/cancel`);
  }

  /** Prepares a drop, starts or resumes it, and follows it until all its tokens are final. */
  async run(dropId: string, options: WaitOptions<DropView> = {}): Promise<DropView> {
    let { status } = await this.get(dropId, options);
    if (status === "draft" || status === "preparing") {
      await this.prepare(dropId);
      ({ status } = await this.wait(dropId, ["prepared"], options));
    }
    if (status === "prepared") await this.start(dropId);
    if (status === "paused") await this.resume(dropId);
    return this.wait(dropId, ["completed"], options);
  }

  /**
   * Follows a drop until its status is one of these, without an end if no patience is given.
   *
   * Throws Rejected if it is paused, cancelled or completed instead.
   */
  async wait(dropId: string, statuses: readonly DropStatus[], options: WaitOptions<DropView> = {}): Promise<DropView> {
    const done = (drop: DropView) =>
      statuses.includes(drop.status) || (STOPPED.includes(drop.status) && drop.resumes_at === null);
    const patient = { ...options, patience: options.patience ?? Infinity };
    const drop = await follow(this.api, path`/v1/drops/${dropId}`, done, patient, PAUSE_SECONDS);
    if (statuses.includes(drop.status)) return drop;
    const reason = drop.paused?.reason ?? "";
    throw new Rejected("drop_not_running", `the drop is ${drop.status}. ${reason}`.trim());
  }

  /** Yields the mints of a drop's lines that were handed on. */
  mints(
    dropId: string,
    filter: { status?: MintView["status"] } = {},
    options: CallOptions = {},
  ): AsyncGenerator<MintView, void, undefined> {
    return this.api.pages(path`/v1/drops/${dropId}/mints`, filter, options);
  }
}
