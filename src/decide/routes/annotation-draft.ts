/** What readers of annotations write into. */
import type { BackendRef, Filter, RetryPolicy, RouteTimeouts, SessionPersistence } from "./route-table.ts";

export interface CanaryRule {
  /** Of `total`. */
  readonly weight: number;
  readonly total: number;
  /** Header that says `always` or `never`, or, with a value, that it is for the canary. */
  readonly header?: { readonly name: string; readonly value?: string; readonly pattern?: string };
  /** Cookie that says `always` or `never`. */
  readonly cookie?: string;
}

/** Undefined: exactly as in ingress-nginx. `guard`: it was to keep requests out. */
export type ReadResult = { readonly differs: string } | { readonly refused: string; readonly guard?: true } | undefined;

export const toHttps: Filter = { kind: "redirect", status: 308, scheme: "https", onlyFrom: "http" };

/** What readers write into; `all`: every annotation without its prefix, as some only mean something together. */
export interface AnnotationDraft {
  readonly all: ReadonlyMap<string, string>;
  /** Of the object. */
  readonly namespace: string;
  readonly name: string;
  readonly filters: Filter[];
  redirectHostsWithTls: boolean;
  timeouts: RouteTimeouts;
  retry: RetryPolicy | undefined;
  persistence: SessionPersistence | undefined;
  canary: CanaryRule | undefined;
  patterns: boolean;
  aliases: readonly string[];
  appRoot: string | undefined;
  fromToWww: boolean;
  backend: Pick<BackendRef, "speaks" | "tls" | "balance">;
}
