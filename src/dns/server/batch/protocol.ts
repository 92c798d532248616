/** What the main thread and a batch thread tell each other; plain data that can be cloned or handed over. */

export interface BatchThreadData {
  readonly host: string;
  readonly port: number;
  /** Several threads share the port. */
  readonly reusePort: boolean;
  /** The main thread writes to it after it posted something. */
  readonly wake: number;
}

export type ToBatchThread =
  /** Answers, as `answerFrames` has them. */
  | { readonly kind: "answers"; readonly frames: Uint8Array }
  /** What shows the tag holds no longer; undefined: nothing that a change can end does. */
  | { readonly kind: "drop"; readonly tag: string | undefined }
  | { readonly kind: "clear" }
  | { readonly kind: "end" };

export type FromBatchThread =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  /** Questions that are not known here: `sockaddr` and packet of each. */
  | { readonly kind: "ask"; readonly frames: Uint8Array }
  /**
   * How often kept answers were sent, by their id, since the last time; and to whom, of those that are watched: id and `sockaddr` of
   * one in `sampleEvery`.
   */
  | { readonly kind: "sent"; readonly counts: readonly (readonly [id: number, times: number])[]; readonly samples: Uint8Array }
  | { readonly kind: "ended" };

/**
 * A frame of `answers` begins with one of these. `send`: `sockaddr` and bytes, to a client whose question was not known. `keep`: id,
 * milliseconds (-1: until it is dropped), `sinceSecond` (-1: TTLs stay), `keepFlags`, tag, packet and response, to be sent again.
 */
export const answerFrames = { send: 0, keep: 1 } as const;

/** `rotate`: addresses take turns; `watched`: somebody wants to know who asks. */
export const keepFlags = { rotate: 1, watched: 2 } as const;

export const sampleEvery = 64;

/** Changes to a table through which the thread goes. */
export const noSource = { onChange: () => () => undefined };
