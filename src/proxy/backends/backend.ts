/**
 * What carries out the plan. A backend decides nothing: which endpoints, for whom and whether at all is in the plan.
 * The proxy calls `apply` for one Service at a time, never twice at once for the same, and owns the backend's life.
 */
import type { Socket } from "node:net";
import type { PlanNode, Protocol, ServicePlan } from "../../decide/proxy/index.ts";
import type { HandedListener } from "./inherited.ts";
import type { ProxyReason } from "../../decide/proxy/reasons.ts";

/** A virtual address that the backend does not serve, and what a person can do. */
export interface AddressProblem {
  /** CamelCase, stable: the reason of the Event. */
  readonly reason:
    | "AddressInUse"
    | "AddressTaken"
    | "PortNotPermitted"
    | "AddressNotLocal"
    | "ProtocolNotSupported"
    | "ListenFailed"
    | "PortStandIn"
    | "TrafficNotSupported";
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly message: string;
  /** `warning`: somebody should do something. `info`: nothing is wrong, this mode has no such thing. */
  readonly severity: "warning" | "info";
  /** Whether it may go away by itself, so that trying again makes sense. */
  readonly retry: boolean;
  /** The address is served after all, on this port of it. */
  readonly standIn?: number;
}

export interface DialTarget {
  readonly ip: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** The client's address, so that the endpoint sees it where that is possible; absent: this host. */
  readonly client?: string;
}

export type DialResult =
  /** Half-open allowed, nothing read yet; the caller owns the socket. */
  | { readonly kind: "connected"; readonly socket: Socket; readonly servicePort: string; readonly endpoint: string }
  | { readonly kind: "refused"; readonly reason: ProxyReason | "AllEndpointsFailed"; readonly message: string }
  /** The address belongs to no Service. */
  | { readonly kind: "unknown" };

/** What went to an endpoint of a Service port since the endpoint is one: TCP connections, flows of datagrams, or requests. */
export interface CarriedConnections {
  /** `servicePortText` */
  readonly servicePort: string;
  /** `ip:port` */
  readonly endpoint: string;
  readonly connections: number;
}

/** A Service and its plan; undefined: the Service is gone. */
export interface ServiceChange {
  readonly key: string;
  readonly plan: ServicePlan | undefined;
}

/** What came of it. An error is of that Service alone, which stands as before. */
export type Applied =
  | { readonly key: string; readonly kind: "applied"; readonly problems: readonly AddressProblem[] }
  | { readonly key: string; readonly kind: "failed"; readonly error: unknown };

export interface HandedOver {
  readonly listeners: readonly HandedListener[];
  /** They have been given: nothing more is accepted here. Resolves when what was begun has ended. */
  given(): Promise<void>;
}

export interface Backend {
  readonly mode: string;
  /**
   * Makes the Service's addresses do what the plan says; undefined: the Service is gone. Resolves when it is so. What
   * stands already and stays is not touched. Never throws for an address that cannot be served: that is in the answer.
   */
  apply(key: string, plan: ServicePlan | undefined): Promise<readonly AddressProblem[]>;
  /** The same for many at once, where that is cheaper. One answer for each, in order. */
  applyAll?(changes: readonly ServiceChange[]): Promise<readonly Applied[]>;
  /** Whether each `applyAll` costs as much as the whole: then a sync makes one of all its changes. Default: it costs its changes. */
  readonly wholesale?: boolean;
  /** Looks whether what was set up still stands; sets it up again, and says true, where it is gone. Never during an `apply`. */
  heal?(): Promise<boolean>;
  /** Every Service has been applied once. Called after the first sync. */
  completed?(): Promise<void>;
  /** Where Services may have addresses: counts from the next `apply` on. */
  setServiceCIDRs?(serviceCIDRs: readonly string[]): void;
  /** The node has changed: counts from the next `apply` on, which follows for every Service. */
  setNode?(node: PlanNode): void;
  /** A connection to a virtual address from inside this process, by the same plan. */
  dial(target: DialTarget): Promise<DialResult>;
  /** Services whose address another one held and has given up since the last call: `apply` them again. */
  takeReleased(): readonly string[];
  /** Virtual addresses that are being served. */
  readonly served: number;
  /** Absent: the kernel carries, and counts no connections by endpoint. */
  traffic?(): readonly CarriedConnections[];
  /** For a proxy that takes this one's place without a gap. */
  handOver?(): HandedOver;
  /** Closes everything; connections are cut. */
  stop(): Promise<void>;
}
