/** What the server says to the page: lines of JSON, one record each. Types only; both sides import them. */
import type { KubeObject } from "../api/object.ts";
import type { PastVersion } from "../decide/explain/history/past.ts";
import type { TopReport } from "../decide/dns/top/query-tally.ts";

/** Kinds that the page follows, by their API kind. */
export type FollowedKind =
  | "Namespace"
  | "Node"
  | "Service"
  | "EndpointSlice"
  | "Pod"
  | "Ingress"
  | "IngressClass"
  | "Event"
  | "ConfigMap"
  | "ServiceCIDR"
  | "NetworkPolicy"
  | "Deployment"
  | "StatefulSet"
  | "GatewayClass"
  | "Gateway"
  | "ListenerSet"
  | "HTTPRoute"
  | "GRPCRoute"
  | "TLSRoute"
  | "TCPRoute"
  | "UDPRoute"
  | "ReferenceGrant"
  | "BackendTLSPolicy";

export type FeedRecord =
  | {
      readonly kind: "hello";
      readonly cluster: ClusterFacts;
      /** What cannot be shown, by name. */
      readonly lacking: readonly Lack[];
    }
  | { readonly kind: "put"; readonly of: FollowedKind; readonly objects: readonly KubeObject[] }
  /** Keys: `namespace/name`. */
  | { readonly kind: "gone"; readonly of: FollowedKind; readonly keys: readonly string[] }
  /** Everything that was there has been sent. */
  | { readonly kind: "synced" }
  | { readonly kind: "counters"; readonly counters: Counters };

export interface ClusterFacts {
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly version: string;
  /** Whether it is Fairlead's own: then it has counters. */
  readonly fairlead: boolean;
  readonly clusterDomain: string;
  /** Whether anything enforces NetworkPolicies. */
  readonly networkPolicy: "enforced" | "ignored" | "unknown";
}

export interface Lack {
  readonly what: string;
  readonly why: string;
}

/** Counts since the program's start. Absent: nobody counts there. */
export interface Counters {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly proxy?: readonly ConnectionCount[];
  /** Which connections `proxy` has: all, or those that come from the machine (the kernel carries the others). */
  readonly counted?: "all" | "incoming";
  readonly gateway?: readonly RequestCount[];
  readonly dns?: DnsCounters;
}

export interface ConnectionCount {
  /** `shop/web:http` */
  readonly servicePort: string;
  /** `10.244.0.7:8080` */
  readonly endpoint: string;
  readonly connections: number;
}

export interface RequestCount {
  /** `shop/web`; empty: no rule took them. */
  readonly ingress: string;
  readonly code: string;
  readonly requests: number;
}

export interface DnsCounters {
  readonly top: TopReport;
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
  readonly rcodes: Readonly<Record<string, number>>;
}

/** Of one Service, its slices and its namespace's pods. */
export interface ServicePast {
  /** What was there an hour ago; empty where nothing is kept that is so old. */
  readonly before: readonly PastVersion[];
  /** In the order in which they were written. */
  readonly writes: readonly PastVersion[];
}

/** A request that a person has the gateway try. */
export interface TryRequest {
  readonly scheme: "http" | "https";
  /** `127.0.0.1:8080`: one of those where an Ingress or Gateway says that it listens. */
  readonly via: string;
  readonly host: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type TryAnswer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      /** Its beginning. */
      readonly body: string;
      readonly truncated: boolean;
      readonly milliseconds: number;
      /** Who issued the certificate, over TLS. */
      readonly issuer?: string;
    }
  | { readonly kind: "failed"; readonly message: string };
