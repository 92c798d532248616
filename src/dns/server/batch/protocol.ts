/** What the main thread and a batch thread tell each other; plain data that can be cloned. */

export interface BatchThreadData {
  readonly host: string;
  readonly port: number;
  /** Several threads share the port. */
  readonly reusePort: boolean;
  /** The main thread writes to it after it posted something. */
  readonly wake: number;
}

export type ToBatchThread =
  /** An answer that may be sent again. `ms` undefined: until it is dropped. */
  | {
      readonly kind: "keep";
      readonly id: number;
      readonly packet: Uint8Array;
      readonly response: Uint8Array;
      readonly tag: string;
      readonly ms: number | undefined;
      readonly rotate: boolean;
    }
  /** What shows the tag holds no longer; undefined: nothing that a change can end does. */
  | { readonly kind: "drop"; readonly tag: string | undefined }
  | { readonly kind: "clear" }
  /** To a client whose question was not known. */
  | { readonly kind: "send"; readonly bytes: Uint8Array; readonly to: Uint8Array }
  | { readonly kind: "end" };

export type FromBatchThread =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  /** Questions that are not known here. `from`: `sockaddr`s. */
  | { readonly kind: "ask"; readonly packets: readonly Uint8Array[]; readonly from: readonly Uint8Array[] }
  /** How often kept answers were sent, by their id, since the last time. */
  | { readonly kind: "sent"; readonly counts: readonly (readonly [id: number, times: number])[] }
  | { readonly kind: "ended" };

/** Changes to a table through which the thread goes. */
export const noSource = { onChange: () => () => undefined };
