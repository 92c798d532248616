/** The controllers of a cluster, in the order in which they start. `--disable` takes their names. */
import type { ControllerEntry } from "./controller.ts";
import { clusterRoleAggregationController } from "./clusterroleaggregation/controller.ts";
import { cronJobController } from "./cronjob/controller.ts";
import { daemonSetController } from "./daemonset/controller.ts";
import { deploymentController } from "./deployment/controller.ts";
import { disruptionController } from "./disruption/controller.ts";
import { endpointsController } from "./endpoints/controller.ts";
import { endpointSliceController } from "./endpointslice/controller.ts";
import { endpointSliceMirroringController } from "./endpointslicemirroring/controller.ts";
import { eventTtlController } from "./event-ttl/controller.ts";
import { garbageCollector } from "./garbagecollector/controller.ts";
import { ipAddressController } from "./ipaddress/controller.ts";
import { jobController } from "./job/controller.ts";
import { loadBalancerController } from "./loadbalancer/controller.ts";
import { namespaceController } from "./namespace/controller.ts";
import { nodeLifecycleController } from "./nodelifecycle/controller.ts";
import { persistentVolumeController } from "./persistentvolume/controller.ts";
import { podGcController } from "./pod-gc/controller.ts";
import { replicaSetController, replicationController } from "./replicaset/controller.ts";
import { rootCaController } from "./root-ca/controller.ts";
import { runPodsController } from "./run-pods/controller.ts";
import { schedulerController } from "./scheduler/controller.ts";
import { serviceCidrController } from "./servicecidr/controller.ts";
import { serviceSelectorController } from "./serviceselector/controller.ts";
import { serviceAccountController } from "./serviceaccount/controller.ts";
import { statefulSetController } from "./statefulset/controller.ts";
import { systemObjectsController } from "./systemobjects/controller.ts";
import { taintEvictionController } from "./tainteviction/controller.ts";

export type { ControllerContext, ControllerEntry, ControllerOptions } from "./controller.ts";

export const controllers: readonly ControllerEntry[] = [
  deploymentController,
  replicaSetController,
  replicationController,
  statefulSetController,
  daemonSetController,
  jobController,
  cronJobController,
  schedulerController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  serviceSelectorController,
  loadBalancerController,
  serviceAccountController,
  rootCaController,
  namespaceController,
  garbageCollector,
  podGcController,
  systemObjectsController,
  persistentVolumeController,
  disruptionController,
  ipAddressController,
  serviceCidrController,
  eventTtlController,
  clusterRoleAggregationController,
  nodeLifecycleController,
  taintEvictionController,
  runPodsController,
];
