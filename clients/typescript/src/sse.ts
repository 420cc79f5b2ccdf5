/** A block of an event stream; without data it is no event, but its id is where a reader continues. */
export interface Block {
  id: string;
  data: string | undefined;
}

/**
 * Yields the blocks of an event stream, and ends with it.
 *
 * Source: the event stream format of the HTML standard, section 9.2 (server-sent events).
 */
export async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Block, void, undefined> {
  let id = "";
  let moved = false;
  let data: string[] = [];
  for await (const line of linesOf(chunks)) {
    if (line === "") {
      if (data.length || moved) yield { id, data: data.length ? data.join("\n") : undefined };
      data = [];
      moved = false;
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") {
      id = value;
      moved = true;
    } else if (name === "data") {
      data.push(value);
    }
  }
}

/** Yields each line that ends: by CR, LF or both, also when a chunk ends between the two. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end of what is there may be the first half of a CR LF.
    for (let end; (end = /\r\n|\n|\r(?!$)/.exec(rest)); ) {
      yield rest.slice(0, end.index);
      rest = rest.slice(end.index + end[0].length);
    }
  }
}
