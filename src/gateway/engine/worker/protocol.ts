/** What the main thread and an engine's thread tell each other. Plain data: all of it crosses by structured clone. */
import type { BackendEndpoint } from "../../../decide/routes/index.ts";
import type { EngineLimits, EngineListen, EngineListener, ListenFailure } from "../engine.ts";
import type { ProxyEngineOptions } from "../proxy-engine.ts";
import type { ChangeDelta } from "./change-delta.ts";
import type { PackedRecords } from "./packed-records.ts";

export interface EngineThreadData {
  readonly limits: Partial<EngineLimits>;
  /** An eventfd: written to when a message waits. */
  readonly wake: number;
  /** Numbers as `statSlots` says, written by the thread. */
  readonly stats: SharedArrayBuffer;
  /** Several threads listen on the same ports. */
  readonly shared: boolean;
  /** Endpoints are not to be had from this host's network: the main thread knows how. */
  readonly asksForConnections: boolean;
  readonly records: RecordDetail;
  readonly observe?: NonNullable<ProxyEngineOptions["observe"]>;
}

/** `whole`: with the details that `observe` asks for; `counted`: only what is counted. */
export type RecordDetail = "none" | "counted" | "whole";

export const statSlots = { clients: 0, tunnels: 1, requests: 2 } as const;
export const statBytes = 8 * Object.keys(statSlots).length;

/** A socket that does not block, connected or on its way there; it belongs to who gets its number. */
export interface ConnectionDescriptor {
  readonly fd: number;
  readonly connected: boolean;
}

export type ConnectionAnswer =
  | ConnectionDescriptor
  /** To be had from the thread's own network, there. */
  | BackendEndpoint
  | { /** The errno's name. */ readonly failed: string };

export type ToEngineThread =
  | { readonly kind: "publish"; readonly change: ChangeDelta }
  | { readonly kind: "listen"; readonly id: number; readonly options: EngineListen }
  | { readonly kind: "close"; readonly id: number }
  | { readonly kind: "connection"; readonly id: number; readonly answer: ConnectionAnswer }
  /** Answered when all that was said before has been done. */
  | { readonly kind: "settle"; readonly id: number }
  | { readonly kind: "stop"; readonly graceMs: number };

export type ListenResult = Omit<EngineListener, "close"> | ListenFailure;

export type FromEngineThread =
  | { readonly kind: "listening"; readonly id: number; readonly result: ListenResult }
  | { readonly kind: "closed"; readonly id: number }
  | { readonly kind: "connect"; readonly id: number; readonly endpoint: BackendEndpoint }
  | { readonly kind: "records"; readonly packed: PackedRecords }
  | { readonly kind: "settled"; readonly id: number }
  | { readonly kind: "stopped" };
