/** Following an operation to its end. */

import type { Api, CallOptions } from "./api.ts";
import { Rejected, Unavailable } from "./errors.ts";
import type { MintStatus, ProblemView } from "./schema.ts";

export interface WaitOptions<T> extends CallOptions {
  /** Seconds after which to give up; the operation goes on. */
  patience?: number | undefined;
  /** Called with what was read each time. */
  heard?: ((current: T) => void) | undefined;
}

/** Seconds within which one operation ends, or something is wrong. */
const PATIENCE = 120;
const PAUSE_SECONDS = 0.25;
/** Statuses in which nothing more happens, but that a reorganization of the chain may undo `reverted`. */
const TERMINAL: ReadonlySet<string> = new Set<MintStatus>(["finalized", "rejected", "reverted"]);

/** Whether an operation of this status has ended. */
export function hasEnded(status: string): boolean {
  return TERMINAL.has(status);
}

/** Returns why an operation ended without its effect. */
export function failureOf(operation: { status: string | null; problem: ProblemView | null }): Rejected {
  const { code, reason } = operation.problem ?? { code: `${operation.status}`, reason: "no reason given" };
  return new Rejected(code, reason);
}

/** Reads a resource until `done` returns true, and returns it; throws Unavailable after the patience. */
export async function follow<T>(
  api: Api,
  path: string,
  done: (current: T) => boolean,
  options: WaitOptions<T>,
  pause: number = PAUSE_SECONDS,
): Promise<T> {
  const patience = options.patience ?? PATIENCE;
  const deadline = performance.now() + patience * 1000;
  for (;;) {
    const current = await api.get<T>(path, {}, options);
    options.heard?.(current);
    if (done(current)) return current;
    if (performance.now() > deadline) throw new Unavailable(`${path} has not ended after ${patience} s`);
    await api.sleep(pause, options.signal);
  }
}

/** Follows a mint, transfer or burn until it is finalized; throws Rejected if it ends otherwise. */
export async function followOperation<T extends { status: MintStatus; problem: ProblemView | null }>(
  api: Api,
  path: string,
  options: WaitOptions<T>,
): Promise<T> {
  const ended = await follow<T>(api, path, (current) => hasEnded(current.status), options);
  if (ended.status !== "finalized") throw failureOf(ended);
  return ended;
}
