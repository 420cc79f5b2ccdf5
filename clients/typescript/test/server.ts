/** An HTTP server whose answers are given in advance, and that remembers what it was sent. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { Mintline, type MintlineOptions } from "../src/index.ts";

export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** What is answered: JSON, or a function that answers itself. */
export type Answer =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string }
  | ((request: IncomingMessage, response: ServerResponse) => void);

export const BROKEN: Answer = (request) => request.socket.destroy();

export interface Server {
  url: string;
  received: Received[];
  answers: Answer[];
  /** Seconds that the client slept. */
  slept: number[];
  client(options?: MintlineOptions): Mintline;
}

/** Starts a server that gives these answers, one after another, and ends with the test. */
export async function serve(context: TestContext, ...answers: Answer[]): Promise<Server> {
  const received: Received[] = [];
  const slept: number[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url: path = "", headers } = request;
    received.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
    const answer = answers.shift() ?? { status: 599 };
    if (typeof answer === "function") return answer(request, response);
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.text ?? JSON.stringify(answer.json ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sleep = async (seconds: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    slept.push(seconds);
  };
  const client = (options: MintlineOptions = { token: "TOKEN" }) => new Mintline(`${url}/`, { sleep, ...options });
  return { url, received, answers, slept, client };
}

export function problem(status: number, code: string, members: Record<string, unknown> = {}) {
  const json = { type: `https://api/docs#${code}`, title: "Title", status, detail: "What is wrong.", code, trace: "t1" };
  return { status, json: { ...json, ...members } };
}
