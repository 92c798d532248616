/** What is kept at a number of pods: ReplicaSets, and ReplicationControllers seen as such (upstream `pkg/controller/replication/conversion.go`). */
import { replicaSets, replicationControllers, type Resource } from "../../api/resources.ts";
import type { ReplicaSet, ReplicaSetStatus, ReplicationController } from "../../api/types.ts";

export type Replicated = ReplicaSet | ReplicationController;

export interface ReplicatedKind<T extends Replicated> {
  readonly name: string;
  readonly component: string;
  readonly resource: Resource<T>;
  readonly view: (object: T) => ReplicaSet;
  /** What its status has of a ReplicaSet's. */
  readonly status: (status: ReplicaSetStatus) => ReplicaSetStatus;
}

export const replicaSetKind: ReplicatedKind<ReplicaSet> = {
  name: "replicaset",
  component: "replicaset-controller",
  resource: replicaSets,
  view: (set) => set,
  status: (status) => status,
};

export const replicationControllerKind: ReplicatedKind<ReplicationController> = {
  name: "replicationcontroller",
  component: "replication-controller",
  resource: replicationControllers,
  view: ({ spec: { selector = {}, template = {}, ...spec } = {}, ...controller }) => ({
    ...controller,
    spec: { ...spec, selector: { matchLabels: selector }, template },
  }),
  status: (status) => {
    const { terminatingReplicas: _, ...known } = status;
    return known;
  },
};
