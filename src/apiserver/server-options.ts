/** What an API server is made of, and what it offers. */
import type { KindSpec } from "../api/kind.ts";
import type { ApiHandler } from "../api/request.ts";
import type { Component, Readiness } from "../component/component.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { Backend } from "../storage/backend.ts";
import type { AuditOptions } from "./audit/auditor.ts";
import type { TokenAuthenticator } from "./auth/authenticate.ts";
import type { Address } from "./bootstrap.ts";
import type { DebugPage } from "./handler.ts";
import type { RequestLimits } from "./http/listener.ts";
import type { NodeAgentLookup } from "./subresources/pod-target.ts";
import type { ServerVersion } from "./version.ts";

export interface ApiServerOptions {
  readonly backend: Backend;
  /** Default: every built-in kind. */
  readonly kinds?: readonly KindSpec[];
  /** One range, or one of each family: `["127.96.0.0/16"]`. The first decides the default family. */
  readonly serviceClusterIPRanges: readonly string[];
  /** Default `30000-32767`. */
  readonly serviceNodePortRange?: string;
  /** Where `listen` listens. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 (default): any free port. */
  readonly port?: number;
  /** Where certificates are kept between runs, with mode 0700. Absent: they live in memory. */
  readonly pkiDirectory?: string;
  /** Makes the certificates while the store opens. Default false: when they are first needed. */
  readonly certificatesAtStart?: boolean;
  /** For the names in the server's certificate. Default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Addresses beside `host` at which clients reach this server: they go into its certificate. */
  readonly serverAddresses?: readonly string[];
  /** Where `default/kubernetes` points. Default: where `listenOn` listens, or else `listen`. */
  readonly publishedAddress?: Address;
  /** What `/version` tells. */
  readonly version?: ServerVersion;
  /** The agent that runs a node's pods; it may come and go. Default: none. */
  readonly nodeAgent?: NodeAgentLookup;
  /** Loopback mode: Endpoints may name addresses in 127.0.0.0/8. Default false. */
  readonly allowLoopbackEndpoints?: boolean;
  /** Gives pods the volume with their account's token: where pods have a file system of their own. Default false. */
  readonly mountServiceAccountTokens?: boolean;
  /** `iss` of the tokens of ServiceAccounts, and their audience where none is asked for. Default `https://kubernetes.default.svc.CLUSTERDOMAIN`. */
  readonly serviceAccountIssuer?: string;
  /** Bearer tokens beside those of ServiceAccounts; default: none is known. */
  readonly tokens?: TokenAuthenticator;
  /** What `/readyz` and `/livez` tell beside the server's own checks. */
  readonly checks?: () => ReadonlyMap<string, Readiness>;
  /** What it shows beside the API, to administrators: path → an object for JSON. Default: nothing. */
  readonly pages?: ReadonlyMap<string, DebugPage>;
  /** What is written down about requests, and where. Default: nothing. */
  readonly audit?: AuditOptions;
  readonly requestLimits?: Partial<RequestLimits>;
  /** Stands before everything, for all transports. Default: nothing. */
  readonly around?: (handler: ApiHandler) => ApiHandler;
  readonly clock?: Clock;
  /** [0, 1); default `Math.random`. */
  readonly random?: () => number;
  readonly uid?: () => string;
  readonly log?: Logger;
  readonly metrics?: MetricsRegistry;
}

export interface ApiServer extends ApiHandler, Component {
  /** Opens the HTTPS listener and points the Service `default/kubernetes` at it. After `start`, once. Throws FL_LISTEN. */
  listen(): Promise<Address>;
  /**
   * Serves the same on a listening socket made elsewhere, in a pod network's namespace for one, and points `default/kubernetes` at
   * it. `address` is how clients know it; `serverAddresses` must name its host. After `start`, before or after `listen`. Throws FL_LISTEN.
   */
  listenAlso(door: { readonly fd: number; readonly address: Address }): Promise<void>;
  /** Where it listens; port 0: it does not. */
  address(): Address;
  /** The text of a kubeconfig with every right, for a context of this name. It holds a private key. */
  adminKubeconfig(name: string): Promise<string>;
  /** PEM; undefined until the certificates are made. */
  readonly certificateAuthority: string | undefined;
  /** The address of the Service `default/kubernetes`: the first of the first range. */
  readonly kubernetesClusterIP: string;
}
