/** The log of what happened to the caller's resources: read in pages, or as a stream that goes on by itself. */

import { causeOf } from "./access.ts";
import { type Api, type CallOptions, secondsOf } from "./api.ts";
import { errorOf, Unauthenticated, Unavailable } from "./errors.ts";
import type { EventList, EventView } from "./schema.ts";
import { type Block, blocksOf } from "./sse.ts";

const PATH = "/v1/events";
const RECONNECT_SECONDS = 1;
/** A stream without a byte for so long is broken: the API sends a comment every 15 seconds. */
const SILENCE_SECONDS = 60;

export interface EventOptions extends CallOptions {
  /** Where to continue: the events after this cursor. */
  after?: string | undefined;
  /** The wanted types; all if empty. */
  types?: readonly string[] | undefined;
  /** Whose log it is, for administrators: `operators`, or the id of a user or client. */
  principal?: string | undefined;
}

/** The caller's events. Calls throw Refused for what the API refuses, and Unavailable. */
export class Events {
  constructor(
    private readonly api: Api,
    private readonly silence: number = SILENCE_SECONDS,
  ) {}

  /** Returns the events after a cursor, oldest first; `next` is what to read after them. */
  async read(options: EventOptions & { limit?: number } = {}): Promise<EventList> {
    const query = {
      after: options.after,
      type: typesOf(options),
      limit: options.limit,
      principal: options.principal,
    };
    return this.api.get(PATH, query, options);
  }

  /** Yields each event from a cursor up to now. */
  async *list(options: EventOptions = {}): AsyncGenerator<EventView, void, undefined> {
    let page: EventList;
    let after = options.after;
    do {
      page = await this.read({ ...options, after });
      yield* page.events;
      after = page.next;
    } while (page.more);
  }

  /**
   * Yields each event with its cursor, and waits for those to come, without end.
   *
   * A stream that breaks is continued after the last event, or where it began. Store the cursor with what you did
   * for the event: `after: cursor` continues there. It throws Refused for what the API refuses, and ends when the
   * signal is aborted.
   */
  async *stream(options: EventOptions = {}): AsyncGenerator<[cursor: string, event: EventView], void, undefined> {
    let after = options.after;
    let renewed = false;
    while (!options.signal?.aborted) {
      try {
        for await (const block of this.connected({ ...options, after }, renewed)) {
          after = block.id;
          renewed = false;
          if (block.data !== undefined) yield [block.id, JSON.parse(block.data) as EventView];
        }
        await this.api.sleep(RECONNECT_SECONDS, options.signal);
      } catch (error) {
        if (options.signal?.aborted) return;
        if (error instanceof Unauthenticated && !renewed) {
          // The token ended meanwhile.
          renewed = true;
        } else if (error instanceof Unavailable) {
          await this.api.sleep(error.retryAfter ?? RECONNECT_SECONDS, options.signal).catch(() => undefined);
        } else {
          throw error;
        }
      }
    }
  }

  private async *connected(options: EventOptions, fresh: boolean): AsyncGenerator<Block, void, undefined> {
    const types = typesOf(options);
    const wanted = new URLSearchParams({
      ...(types === undefined ? {} : { type: types }),
      ...(options.principal === undefined ? {} : { principal: options.principal }),
    });
    const query = wanted.size === 0 ? "" : `?${wanted}`;
    const headers: Record<string, string> = { ...(await this.api.headers({ fresh })), accept: "text/event-stream" };
    if (options.after !== undefined) headers["last-event-id"] = options.after;
    const broken = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, broken.signal]) : broken.signal;
    // What is silent for too long is broken; the time that the caller takes for an event is not counted.
    const watched: Watched = async (work) => {
      const timer = setTimeout(() => broken.abort(), this.silence * 1000);
      return work.finally(() => clearTimeout(timer));
    };
    try {
      const url = this.api.url + PATH + query;
      const response = await watched(this.api.fetch(url, { headers, signal, redirect: "error" }));
      if (response.status >= 400) {
        const retryAfter = secondsOf(response.headers.get("retry-after"));
        throw errorOf(response.status, await response.json().catch(() => null), retryAfter);
      }
      yield* blocksOf(chunksOf(response, watched));
    } catch (error) {
      if (error instanceof TypeError || error instanceof DOMException) {
        throw new Unavailable(`the event stream broke: ${causeOf(error)}`);
      }
      throw error;
    } finally {
      broken.abort();
    }
  }
}

type Watched = <T>(work: Promise<T>) => Promise<T>;

async function* chunksOf(response: Response, watched: Watched): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await watched(reader.read());
    if (done) return;
    yield value;
  }
}

function typesOf(options: EventOptions): string | undefined {
  return options.types?.length ? options.types.join(",") : undefined;
}
