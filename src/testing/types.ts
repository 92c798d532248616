/** What a test asks for, and what it gets. */
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { PodFunction } from "../cmd/cluster-options.ts";
import type { DnsQueryResult } from "../cmd/cluster-dns.ts";
import type { Explanation, Question } from "../decide/explain/explanation.ts";
import type { ServiceExplanation } from "../decide/explain/service.ts";
import type { Logger } from "../lib/log.ts";
import type { Faults } from "./faults/index.ts";
import type { FetchInit } from "./fetch.ts";
import type { TestClock } from "./test-clock.ts";
import type { UntilReadyOptions } from "./until-ready.ts";

export interface StartClusterOptions {
  /** Image name → what a container of it does. Images without an entry fail as an image that cannot be pulled does. */
  readonly functions?: Readonly<Record<string, PodFunction>>;
  /** `function` (default) runs pods in this process, `process` as child processes. */
  readonly runtime?: "function" | "process";
  /** YAML or JSON, applied before this resolves. */
  readonly manifests?: string;
  /** Files and directories with manifests, applied before this resolves. Relative to the working directory. */
  readonly fixtures?: string | readonly string[];
  readonly log?: Logger;
  /** Objects cross the in-process transport as bytes, as they would over HTTPS. Slower; finds what only encoding breaks. */
  readonly encode?: boolean;
  /** Where objects are kept: `memory` (default) or `sqlite`, in a temporary directory that goes with the cluster. */
  readonly storage?: "memory" | "sqlite";
  readonly disable?: readonly string[];
}

export interface TestCluster {
  /** The test's own, with every right. */
  readonly client: Client;
  readonly informers: InformerFactory;
  /** The cluster's time. */
  readonly clock: TestClock;
  /** What can be broken. */
  readonly faults: Faults;
  /** A client with the rights of this user, for what depends on RBAC: `system:serviceaccount:shop:reader`. */
  clientAs(user: string, groups?: readonly string[]): Client;
  /** Applies YAML or JSON (namespace `default` where none is named). Throws FL_MANIFEST with every problem. */
  apply(manifests: string): Promise<void>;
  /** The same of files and directories. */
  applyFiles(...paths: readonly string[]): Promise<void>;
  /** The path of a kubeconfig with every right; the API server listens from the first call on. */
  kubeconfig(): Promise<string>;
  /** A request by a client in namespace `default`: `http://web`, `http://web.shop`, `http://10.96.0.7:8080`. */
  fetch(url: string, init?: FetchInit): Promise<Response>;
  /** What the cluster's DNS answers: `web.default.svc.cluster.local`, type `A` unless named. */
  resolve(name: string, type?: string): Promise<readonly string[]>;
  /** The whole DNS answer. */
  query(name: string, type: string): Promise<DnsQueryResult>;
  /** Resolves when `pod/NAME`, `deployment/NAME`, `statefulset/NAME` or `service/NAME` (has a ready endpoint) is ready. Rejects with FL_TIMEOUT. */
  untilReady(target: string, options?: UntilReadyOptions): Promise<void>;
  /** What becomes of a request, and why: `explain("http://web.shop:8080/")`. Who asks is some pod of namespace `default` unless `from` says. */
  explain(question: string | Question): Promise<Explanation>;
  /** Why a Service has the endpoints that it has. */
  explainService(namespace: string, service: string): ServiceExplanation;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
