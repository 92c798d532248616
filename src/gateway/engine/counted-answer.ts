/** Counts what goes to the client of an answer's body. */
import type { ClientSide } from "./client-side.ts";

export interface CountedAnswer {
  readonly client: ClientSide;
  /** Bytes so far; of a chunked answer over HTTP/1.1 with its chunks' lines. */
  readonly bytes: () => number;
}

export function counted(client: ClientSide): CountedAnswer {
  let bytes = 0;
  return {
    bytes: () => bytes,
    client: {
      get framed() {
        return client.framed;
      },
      interim: (...words) => client.interim(...words),
      respond: (head) => client.respond(head),
      write: (piece) => {
        bytes += piece.length;
        return client.write(piece);
      },
      flush: () => client.flush(),
      end: (trailers) => client.end(trailers),
      tunnel: (...words) => client.tunnel(...words),
      abort: () => client.abort(),
      resumeBody: () => client.resumeBody(),
    },
  };
}
