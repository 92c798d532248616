/** A copy of a request for a mirror (HTTPRoute `requestMirror`): goes the same way, and nobody waits for its answer. */
import type { ClientSide, Exchange } from "./client-side.ts";
import type { Field } from "../http1/fields.ts";

/** Takes an answer and forgets it. */
export const nobody: ClientSide = {
  framed: false,
  interim: ignore,
  respond: ignore,
  write: () => true,
  flush: ignore,
  end: ignore,
  tunnel: (_head, upstream) => void upstream.destroy(),
  abort: ignore,
  resumeBody: ignore,
};

/** Of a body that a mirror has not taken yet; a mirror that is slower loses the request, the client never waits for it. */
const maxBehind = 1 << 20;

/** The client's body goes to the first, and to the others as far as they keep up. */
export function withMirrors(first: Exchange, mirrors: readonly Exchange[]): Exchange {
  let following = mirrors.map((mirror) => ({ mirror, behind: 0 }));
  return {
    write(bytes) {
      following = following.filter((each) => {
        if (each.mirror.write(bytes)) each.behind = 0;
        else if ((each.behind += bytes.length) > maxBehind) {
          each.mirror.abort();
          return false;
        }
        return true;
      });
      return first.write(bytes);
    },
    end(trailers: readonly Field[]) {
      for (const { mirror } of following) mirror.end(trailers);
      first.end(trailers);
    },
    resume: () => first.resume(),
    abort() {
      // What the mirrors have of the request is not whole either.
      for (const { mirror } of following) mirror.abort();
      first.abort();
    },
  };
}

/** A body whose length nobody said ends both sides when it is too long. */
export function withBodyLimit(exchange: Exchange, bytes: number, tooLong: () => void): Exchange {
  let left = bytes;
  return {
    write(piece) {
      left -= piece.length;
      if (left >= 0) return exchange.write(piece);
      exchange.abort();
      tooLong();
      return true;
    },
    end: (trailers) => exchange.end(trailers),
    resume: () => exchange.resume(),
    abort: () => exchange.abort(),
  };
}

function ignore(): void {
  // Nobody waits.
}
