/** Every built-in kind, in the order of discovery. A new kind is a file beside this one and a line here. */
import type { KindSpec } from "../kind.ts";
import { configMapKind } from "./config-maps.ts";
import { controllerRevisionKind } from "./controller-revisions.ts";
import { daemonSetKind } from "./daemon-sets.ts";
import { deploymentKind } from "./deployments.ts";
import { endpointSliceKind } from "./endpoint-slices.ts";
import { endpointsKind } from "./endpoints.ts";
import { eventKind } from "./events.ts";
import { ingressClassKind } from "./ingress-classes.ts";
import { ingressKind } from "./ingresses.ts";
import { leaseKind } from "./leases.ts";
import { namespaceKind } from "./namespaces.ts";
import { nodeKind } from "./nodes.ts";
import { podKind } from "./pods.ts";
import { replicaSetKind } from "./replica-sets.ts";
import { secretKind } from "./secrets.ts";
import { serviceAccountKind } from "./service-accounts.ts";
import { serviceKind } from "./services.ts";
import { statefulSetKind } from "./stateful-sets.ts";

export const kinds: readonly KindSpec[] = [
  configMapKind,
  endpointsKind,
  eventKind,
  namespaceKind,
  nodeKind,
  podKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  controllerRevisionKind,
  daemonSetKind,
  deploymentKind,
  replicaSetKind,
  statefulSetKind,
  endpointSliceKind,
  leaseKind,
  ingressClassKind,
  ingressKind,
];
