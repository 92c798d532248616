/** Reads the server's stream of records; begins again, with a pause that grows, when it ends. */
import type { FeedRecord } from "../../src/console/wire.ts";
import { ask } from "./session.ts";

export type FeedState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly why: string }
  /** No use in trying again. */
  | { readonly kind: "refused"; readonly why: string };

export interface FeedHandlers {
  readonly record: (record: FeedRecord) => void;
  readonly state: (state: FeedState) => void;
  /** A new stream begins: what it does not name is gone. */
  readonly begin: () => void;
}

const longestPauseMs = 5000;

export async function follow({ record, state, begin }: FeedHandlers): Promise<void> {
  for (let pause = 250; ; pause = Math.min(pause * 2, longestPauseMs)) {
    let why = "The console's server has ended the stream.";
    try {
      const response = await ask("/console/feed");
      if (response.status === 401) return state({ kind: "refused", why: await messageOf(response) });
      if (!response.ok || response.body === null) throw new Error(await messageOf(response));
      begin();
      state({ kind: "live" });
      pause = 250;
      for await (const line of lines(response.body)) record(JSON.parse(line) as FeedRecord);
    } catch (error) {
      why = error instanceof TypeError ? "The console's server cannot be reached: fairlead may have stopped." : (error as Error).message;
    }
    state({ kind: "lost", why });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { error, hint } = (await response.json()) as { readonly error?: string; readonly hint?: string };
    return [error ?? `status ${response.status}`, hint].filter(Boolean).join(". ");
  } catch {
    return `status ${response.status}`;
  }
}

/** Lines of a body, without their ends. */
export async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split("\n");
    rest = pieces.pop() ?? "";
    yield* pieces.filter((line) => line !== "");
  }
}
