/** What `explain` answers: the shapes, for people's eyes (console, terminal) and for programs (`-o json`). Frozen plain data. */
import type { ExplainCode } from "./codes.ts";
import type { ObjectRef } from "./snapshot.ts";

export interface Question {
  /**
   * - `http://web.shop:8080/cart`, `https://…`: a request
   * - `web`, `web.shop`, `web.shop.svc.cluster.local`, `_http._tcp.web`: a name (a Service's, if there is one: its first port is asked as well)
   * - `web:8080`, `10.96.0.7:80`, `[fd00::7]:80`, `192.0.2.5:30080`: a connection; `/udp` behind it for UDP
   * - `svc/web`, `pod/web-1`, `ingress/shop`, `httproute/shop`
   */
  readonly target: string;
  /** `pod/shop/client`, `node/node-1`, `outside`, an address. Default: some pod of `namespace`. */
  readonly from?: string;
  /** Of names without one. Default: that of `from`, else `default`. */
  readonly namespace?: string;
  /** Of an HTTP request; default GET. */
  readonly method?: string;
  /** Of an HTTP request; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Explanation {
  readonly target: string;
  readonly from: Client;
  /** The request arrives, as far as the objects say. */
  readonly ok: boolean;
  /** The first cause on the way. */
  readonly code: ExplainCode;
  /** `likely`: it follows from what people declare, not from what is enforced (container ports). */
  readonly certainty: "certain" | "likely";
  /** One sentence. */
  readonly verdict: string;
  /** In the order in which the request takes them; the walk ends where it breaks. */
  readonly path: readonly Step[];
  /** What would mend it, each tried on the snapshot; those that do come first. Empty when `ok`. */
  readonly changes: readonly Change[];
  /** `address:port` of the pods that may get the request, sorted. */
  readonly endpoints: readonly string[];
  /** True, but not the cause: candidates for the next outage. */
  readonly warnings: readonly Warning[];
  /** What could not be read or was taken for granted, each a sentence. */
  readonly limits: readonly string[];
}

/** Who asks. */
export interface Client {
  readonly kind: "pod" | "node" | "outside";
  /** Pods and nodes. */
  readonly ref?: ObjectRef;
  /** For names without one. */
  readonly namespace: string;
  /** `any pod in shop`, `Pod shop/client on node-1`, `outside the cluster` */
  readonly text: string;
  readonly address?: string;
  readonly node?: string;
}

export type StepKind = "client" | "resolve" | "route" | "service" | "policy" | "endpoints" | "rule" | "network-policy" | "pod";

export interface Step {
  readonly kind: StepKind;
  readonly ok: boolean;
  /** One sentence: what is so. */
  readonly text: string;
  /** What the step is about, for the map. */
  readonly ref?: ObjectRef;
  /** Everything that could have been chosen here, the kept first. */
  readonly candidates: readonly Candidate[];
}

export interface Candidate {
  readonly kept: boolean;
  /** `10.244.1.7:8080`, `web.shop.svc.cluster.local.`, `Ingress shop/web spec.rules[0].http.paths[1]` */
  readonly name: string;
  /** Stable reason: of endpoints (`NotReady`), of the proxy (`HintedForOtherZone`), of lookups (`ServiceNotFound`), of routes (`PathMismatch`). */
  readonly reason: string;
  /** For people: `not ready since …: container app runs, but its readiness probe has not succeeded`. */
  readonly detail: string;
  readonly ref?: ObjectRef;
}

/** One edit of one object. */
export interface Edit {
  readonly ref: ObjectRef;
  /** `spec.selector.app`; steps of a path that hold dots are in brackets: `metadata.labels[app.kubernetes.io/name]` */
  readonly field: string;
  readonly from: unknown;
  /** Undefined: the field goes. */
  readonly to: unknown;
}

export interface Change {
  /** For people: `Set spec.selector.app of Service shop/web to "webapp": 3 pods would match`. */
  readonly text: string;
  /** Absent where no single edit of an object does it. */
  readonly edit?: Edit;
  /** What `explain` says with the edit done: `Reachable` mends it. Absent: it could not be tried. */
  readonly result?: ExplainCode;
}

export interface Warning {
  readonly code: string;
  readonly text: string;
  readonly ref?: ObjectRef;
}
