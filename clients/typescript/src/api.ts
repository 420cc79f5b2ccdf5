/** Requests to the API: tries, idempotency keys, problem documents, pages. */

import { causeOf, type Fetch, type Token } from "./access.ts";
import { errorOf, type Refused, TryLater, Unavailable } from "./errors.ts";

/** How often and how soon a request is tried again: after 429, 502 to 504, or no answer at all. Times in seconds. */
export interface Retries {
  tries: number;
  /** Doubled each time, and shortened at random by up to a half. */
  firstDelay: number;
  longestDelay: number;
  /** A longer `Retry-After` ends the tries. */
  longestRetryAfter: number;
}

export const RETRIES: Retries = { tries: 5, firstDelay: 0.25, longestDelay: 8, longestRetryAfter: 60 };
const AGAIN = new Set([429, 502, 503, 504]);

/** Items that a page of a list has at most. */
const PAGE = 100;

export type Query = Record<string, string | number | undefined>;

/** What a call may be given in addition to what it asks for. */
export interface CallOptions {
  /** Ends the call: it throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The same key is the same request, whenever it is repeated; a new one if absent. */
  idempotencyKey?: string | undefined;
}

interface Tries {
  /** As many as the client is set to if absent. */
  tries?: number | undefined;
}

interface RequestOptions extends CallOptions, Tries {
  body?: BodyInit | undefined;
  headers?: Record<string, string>;
}

/** Returns a path whose values are escaped: path`/v1/mints/${id}`. */
export function path(parts: TemplateStringsArray, ...values: (string | number | bigint)[]): string {
  return String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(String(value))));
}

/** Waits; throws the signal's reason if it is aborted meanwhile. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/**
 * A deployment's API for one caller. All calls throw Refused for what the API refuses, and Unavailable when all
 * tries failed. Every POST and PATCH carries an idempotency key, so that a repetition is the same request.
 */
export class Api {
  constructor(
    readonly fetch: Fetch,
    readonly url: string,
    private readonly token: string | Token | undefined,
    private readonly retries: Retries,
    /** Seconds, for each try. */
    readonly timeout: number,
    readonly sleep: (seconds: number, signal?: AbortSignal) => Promise<void>,
  ) {}

  /** Returns a resource's JSON; `query` leaves out what is undefined. */
  async get<T>(path: string, query: Query = {}, options: CallOptions = {}): Promise<T> {
    return json<T>(await this.request("GET", path + queryString(query), options));
  }

  /** Posts JSON, or nothing, and returns the response's. */
  async post<T>(path: string, body?: object, options: WriteOptions & Tries = {}): Promise<T> {
    return this.write<T>("POST", path, body, options);
  }

  /** Patches a resource by JSON and returns the response's. */
  async patch<T>(path: string, body: object, options: WriteOptions = {}): Promise<T> {
    return this.write<T>("PATCH", path, body, options);
  }

  async delete(path: string, options: CallOptions = {}): Promise<void> {
    await this.request("DELETE", path, options);
  }

  /** Sends a body that is no JSON, in one try, and returns the response's JSON. */
  async send<T>(method: string, path: string, body: Blob, headers: Record<string, string>): Promise<T> {
    return json<T>(await this.request(method, path, { body, headers, tries: 1 }));
  }

  /** Returns the exact bytes of a resource. */
  async getBytes(path: string, options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.request("GET", path, options);
  }

  /** Yields each item of a list, page by page (`items`, `next_cursor`). */
  async *pages<T>(path: string, query: Query = {}, options: CallOptions = {}): AsyncGenerator<T, void, undefined> {
    let cursor: string | undefined;
    do {
      const page: { items: T[]; next_cursor: string | null } = await this.get(
        path,
        { limit: PAGE, ...query, cursor },
        options,
      );
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
  }

  /** Returns the headers that say who calls. */
  async headers(options: { fresh: boolean }): Promise<Record<string, string>> {
    const token = typeof this.token === "function" ? await this.token(options) : this.token;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  private async write<T>(
    method: string,
    path: string,
    body: object | undefined,
    options: WriteOptions & Tries,
  ): Promise<T> {
    const headers: Record<string, string> = { "idempotency-key": options.idempotencyKey ?? crypto.randomUUID() };
    if (body !== undefined) headers["content-type"] = "application/json";
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const { signal, tries } = options;
    return json<T>(await this.request(method, path, { body: sent, headers, signal, tries }));
  }

  /** Sends a request, again where that may help, and returns the response's bytes. */
  private async request(method: string, path: string, options: RequestOptions): Promise<Uint8Array<ArrayBuffer>> {
    const tries = options.tries ?? this.retries.tries;
    let fresh = false;
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      let failure: Refused | Unavailable;
      try {
        const response = await this.once(method, path, options, fresh);
        fresh = false;
        if (response.status < 400) return response.content;
        if (response.status === 401 && typeof this.token === "function" && !renewed) {
          fresh = renewed = true;
          continue;
        }
        failure = errorOf(response.status, parsed(response.content), response.retryAfter);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        failure = error;
      }
      const delay = mayHelp(failure) ? this.delay(attempt, tries, failure.retryAfter) : undefined;
      if (delay === undefined) throw failure;
      await this.sleep(delay, options.signal);
    }
  }

  /** Returns the seconds before the try after the one with this number, from 1; undefined: no more. */
  private delay(attempt: number, tries: number, retryAfter = 0): number | undefined {
    if (attempt >= tries || retryAfter > this.retries.longestRetryAfter) return undefined;
    const backoff = Math.min(this.retries.longestDelay, this.retries.firstDelay * 2 ** (attempt - 1));
    // Jitter, so that those who were refused together do not return together.
    return Math.max(retryAfter, backoff * (0.5 + Math.random() / 2));
  }

  private async once(
    method: string,
    path: string,
    options: RequestOptions,
    fresh: boolean,
  ): Promise<{ status: number; content: Uint8Array<ArrayBuffer>; retryAfter: number | undefined }> {
    options.signal?.throwIfAborted();
    const headers = { ...(await this.headers({ fresh })), ...options.headers };
    const timeout = AbortSignal.timeout(this.timeout * 1000);
    try {
      const response = await this.fetch(this.url + path, {
        method,
        headers,
        body: options.body ?? null,
        redirect: "error",
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      });
      const content = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, content, retryAfter: secondsOf(response.headers.get("retry-after")) };
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new Unavailable(`no answer from the API at ${this.url}: ${causeOf(error)}`);
    }
  }
}

/** Whether the same request, sent again, may be answered otherwise. */
function mayHelp(failure: Refused | Unavailable): failure is Unavailable {
  return failure instanceof TryLater ? AGAIN.has(failure.problem.status) : failure instanceof Unavailable;
}

function queryString(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Returns the seconds of a `Retry-After` header; undefined for none, or for a date. */
export function secondsOf(header: string | null): number | undefined {
  return header !== null && /^[0-9]+$/.test(header) ? Number(header) : undefined;
}

function json<T>(content: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(content) || "null") as T;
}

function parsed(content: Uint8Array): unknown {
  try {
    return json(content);
  } catch {
    return null;
  }
}
