/** Every built-in kind, in the order of discovery. A new kind is a file beside this one and a line here. */
import type { KindSpec } from "../kind.ts";
import {
  mutatingWebhookConfigurationKind,
  validatingAdmissionPolicyBindingKind,
  validatingAdmissionPolicyKind,
  validatingWebhookConfigurationKind,
} from "./admission-registration.ts";
import { certificateSigningRequestKind } from "./certificate-signing-requests.ts";
import { configMapKind } from "./config-maps.ts";
import { controllerRevisionKind } from "./controller-revisions.ts";
import { cronJobKind } from "./cron-jobs.ts";
import { customResourceDefinitionKind } from "./custom-resource-definitions.ts";
import { daemonSetKind } from "./daemon-sets.ts";
import { deploymentKind } from "./deployments.ts";
import { endpointSliceKind } from "./endpoint-slices.ts";
import { endpointsKind } from "./endpoints.ts";
import { eventsV1Kind } from "./events-v1.ts";
import { eventKind } from "./events.ts";
import { ingressClassKind } from "./ingress-classes.ts";
import { ingressKind } from "./ingresses.ts";
import { ipAddressKind } from "./ip-addresses.ts";
import { jobKind } from "./jobs.ts";
import { leaseKind } from "./leases.ts";
import { namespaceKind } from "./namespaces.ts";
import { networkPolicyKind } from "./network-policies.ts";
import { nodeKind } from "./nodes.ts";
import { persistentVolumeClaimKind, persistentVolumeKind } from "./persistent-volumes.ts";
import { podDisruptionBudgetKind } from "./pod-disruption-budgets.ts";
import { podTemplateKind } from "./pod-templates.ts";
import { podKind } from "./pods.ts";
import { priorityClassKind } from "./priority-classes.ts";
import { replicaSetKind } from "./replica-sets.ts";
import { replicationControllerKind } from "./replication-controllers.ts";
import { clusterRoleBindingKind, roleBindingKind } from "./role-bindings.ts";
import { clusterRoleKind, roleKind } from "./roles.ts";
import { secretKind } from "./secrets.ts";
import { serviceAccountKind } from "./service-accounts.ts";
import { serviceCidrKind } from "./service-cidrs.ts";
import { serviceKind } from "./services.ts";
import { statefulSetKind } from "./stateful-sets.ts";
import { storageClassKind } from "./storage-classes.ts";

export const kinds: readonly KindSpec[] = [
  configMapKind,
  endpointsKind,
  eventKind,
  namespaceKind,
  nodeKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  podKind,
  podTemplateKind,
  replicationControllerKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  mutatingWebhookConfigurationKind,
  validatingAdmissionPolicyKind,
  validatingAdmissionPolicyBindingKind,
  validatingWebhookConfigurationKind,
  controllerRevisionKind,
  daemonSetKind,
  deploymentKind,
  replicaSetKind,
  statefulSetKind,
  cronJobKind,
  jobKind,
  certificateSigningRequestKind,
  leaseKind,
  endpointSliceKind,
  ingressClassKind,
  ingressKind,
  ipAddressKind,
  networkPolicyKind,
  serviceCidrKind,
  podDisruptionBudgetKind,
  clusterRoleBindingKind,
  clusterRoleKind,
  roleBindingKind,
  roleKind,
  priorityClassKind,
  storageClassKind,
  eventsV1Kind,
  customResourceDefinitionKind,
];
