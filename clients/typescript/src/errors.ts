/**
 * How a call fails.
 *
 *     MintlineError
 *     ├── Rejected                 `code` and a reason; a repetition does not help
 *     │   └── Refused              the API refused the request: 4xx, with its problem document
 *     │       ├── Unauthenticated  401: no valid access token
 *     │       ├── Forbidden        403: not for this caller
 *     │       ├── NotFound         404 or 410
 *     │       ├── Conflicting      409 or 412: another state, or another request by the same idempotency key
 *     │       └── Invalid          400, 413, 415 or 422: `problem.errors` names each fault
 *     └── Unavailable              no answer
 *         └── TryLater             429 or 5xx, after all tries; `retryAfter` is in seconds
 *
 * Source: RFC 9457 (problem documents).
 */

/** One thing wrong with a request, and where: one of the three places, or none. */
export interface Fault {
  detail: string;
  /** JSON pointer into the body, as a URI fragment. */
  pointer?: string;
  parameter?: string;
  header?: string;
}

/** A problem document; what a proxy between answered has a title and no type. */
export interface Problem {
  status: number;
  type: string;
  title: string;
  detail: string;
  /** The problem type's slug: the same on every deployment. */
  code: string;
  /** Names the request in the deployment's logs. */
  trace: string;
  errors: Fault[];
}

/** The root of all errors of this package. */
export class MintlineError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** Something was refused or failed, and a repetition will not help. */
export class Rejected extends MintlineError {
  constructor(
    readonly code: string,
    reason: string,
  ) {
    super(`${code}: ${reason}`);
  }
}

/** The API, a token endpoint or the storage does not answer; `retryAfter` is in seconds. */
export class Unavailable extends MintlineError {
  constructor(
    message: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** The API refused a request, and will refuse it again. */
export class Refused extends Rejected {
  constructor(readonly problem: Problem) {
    super(problem.code, reasonOf(problem));
  }
  /** The HTTP status. */
  get status(): number {
    return this.problem.status;
  }
}

/** There is no valid access token. */
export class Unauthenticated extends Refused {}

/** The operation is not for this caller. */
export class Forbidden extends Refused {}

/** The resource does not exist, or is not the caller's. */
export class NotFound extends Refused {}

/** The resource is in another state, or another request had the same idempotency key. */
export class Conflicting extends Refused {}

/** The request is wrong; `problem.errors` says where. */
export class Invalid extends Refused {}

/** The API has no time, or the caller's rate or budget is used up; `retryAfter` is in seconds. */
export class TryLater extends Unavailable {
  constructor(
    readonly problem: Problem,
    retryAfter?: number,
  ) {
    super(`${problem.code}: ${reasonOf(problem)}`, retryAfter);
  }
}

const BY_STATUS: Record<number, typeof Refused> = {
  400: Invalid,
  401: Unauthenticated,
  403: Forbidden,
  404: NotFound,
  409: Conflicting,
  410: NotFound,
  412: Conflicting,
  413: Invalid,
  415: Invalid,
  422: Invalid,
};

/** Returns the error of a response whose status is 400 or more, whatever its body is. */
export function errorOf(status: number, body: unknown, retryAfter?: number): Refused | TryLater {
  const problem = readProblem(status, body);
  if (status === 429 || status >= 500) return new TryLater(problem, retryAfter);
  return new (BY_STATUS[status] ?? Refused)(problem);
}

function readProblem(status: number, body: unknown): Problem {
  const members = isRecord(body) ? body : {};
  return {
    status,
    type: text(members, "type") ?? "about:blank",
    title: text(members, "title") ?? `HTTP status ${status}`,
    detail: text(members, "detail") ?? "",
    code: text(members, "code") ?? String(status),
    trace: text(members, "trace") ?? "",
    errors: Array.isArray(members.errors) ? members.errors.map(readFault) : [],
  };
}

function readFault(value: unknown): Fault {
  const members = isRecord(value) ? value : {};
  const fault: Fault = { detail: text(members, "detail") ?? "" };
  for (const place of ["pointer", "parameter", "header"] as const) {
    const named = text(members, place);
    if (named !== undefined) fault[place] = named;
  }
  return fault;
}

/** Returns what is wrong, in one line. */
function reasonOf(problem: Problem): string {
  const said = problem.detail || problem.title;
  const places = problem.errors.flatMap((fault) => {
    const place = fault.pointer ?? fault.parameter ?? fault.header;
    return place === undefined ? [] : [`${place}: ${fault.detail}`];
  });
  return [said, ...places.filter((place) => !said.includes(place))].join("; ");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(members: Record<string, unknown>, name: string): string | undefined {
  const value = members[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}
