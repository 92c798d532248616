/** Deletes what belongs to objects that are gone (upstream `pkg/controller/garbagecollector`). */
import type { KubeObject } from "../../api/object.ts";
import {
  configMaps,
  controllerRevisions,
  cronJobs,
  daemonSets,
  deployments,
  endpoints,
  endpointSlices,
  ingresses,
  jobs,
  namespaces,
  networkPolicies,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
  services,
  statefulSets,
  type Resource,
} from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { OwnerReference } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { followCustomResources } from "./custom-resources.ts";
import { collect, dropReferences, removeFinalizer } from "./finalize.ts";
import { memberId, OwnerGraph, type Member } from "./graph.ts";
import { ownerState, planByOwners, planForDependents, type OwnerState } from "./reconcile.ts";

export const garbageCollector: ControllerEntry = { name: "garbagecollector", create };

/** Events and Leases are left out: they change often, and own nothing. Custom resources come as their definitions do. */
const collected = [
  pods,
  replicaSets,
  deployments,
  statefulSets,
  daemonSets,
  controllerRevisions,
  jobs,
  cronJobs,
  replicationControllers,
  services,
  endpoints,
  endpointSlices,
  ingresses,
  networkPolicies,
  configMaps,
  secrets,
  serviceAccounts,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  roles,
  roleBindings,
  namespaces,
  nodes,
] as readonly Resource<KubeObject>[];

function create(context: ControllerContext): Component {
  const { client } = context;
  const graph = new OwnerGraph(collected.map((resource) => context.informers.informer(resource)));

  async function reconcile(id: string, queue: KeyQueue): Promise<void> {
    const member = graph.member(id);
    if (member === undefined) return;
    const { object, informer } = member;
    if (object.metadata.deletionTimestamp !== undefined) return finishDeletion(member, queue);
    const states: OwnerState[] = [];
    for (const reference of object.metadata.ownerReferences ?? []) states.push(await stateOf(reference, object));
    const dependents = graph.dependents(object.metadata.uid).map((dependent) => dependent.object);
    await collect(client, informer.resource, object, planByOwners(object, states, dependents));
  }

  async function finishDeletion({ object, informer }: Member, queue: KeyQueue): Promise<void> {
    const dependents = graph.dependents(object.metadata.uid);
    const plan = planForDependents(
      object,
      dependents.map((dependent) => dependent.object),
    );
    switch (plan.kind) {
      case "none":
        return;
      case "collect":
        for (const dependent of dependents) queue.add(memberId(dependent.informer.resource, dependent.object));
        return;
      case "orphan":
        for (const dependent of dependents)
          await dropReferences(client, dependent.informer.resource, dependent.object, [object.metadata.uid ?? ""]);
        // Comes back when the last reference is gone from the informers.
        return;
      case "removeFinalizer":
        return removeFinalizer(client, informer.resource, object, plan.finalizer);
      default:
        return plan satisfies never;
    }
  }

  /** An owner that the informers do not show may only be new to them: before anything is deleted the server is asked. */
  async function stateOf(reference: OwnerReference, dependent: KubeObject): Promise<OwnerState> {
    const id = graph.ownerId(reference, dependent);
    const resource = graph.resourceOf(reference);
    // An owner of a kind that is not known here may well exist: nothing is deleted on a guess.
    if (id === undefined || resource === undefined) return "solid";
    const known = ownerState(reference, graph.member(id)?.object);
    return known === "absent" ? ownerState(reference, await askServer(resource, reference, dependent)) : known;
  }

  async function askServer(resource: Resource, { name }: OwnerReference, { metadata }: KubeObject): Promise<KubeObject | undefined> {
    try {
      return await client.get(resource, { name, namespace: resource.namespaced ? metadata.namespace : undefined });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  return createKeyController({
    name: "garbagecollector",
    context,
    informers: graph.informers,
    watch: (queue) => [
      ...graph.informers.map((informer) => informer.addHandlers(handlers(graph, informer.resource, queue))),
      followCustomResources(context, graph, queue, (resource) => handlers(graph, resource, queue)),
    ],
    reconcile,
  });
}

function handlers(graph: OwnerGraph, resource: Resource, queue: KeyQueue) {
  const enqueue = (object: KubeObject) => queue.add(memberId(resource, object));
  /** Owners that wait until this one is gone, or no longer theirs. */
  const owners = (object: KubeObject) => {
    for (const reference of object.metadata.ownerReferences ?? []) {
      const id = graph.ownerId(reference, object);
      if (id !== undefined && graph.member(id)?.object.metadata.deletionTimestamp !== undefined) queue.add(id);
    }
  };
  return {
    added: (object: KubeObject) => {
      const isComplete = (object.metadata.ownerReferences ?? []).every((reference) => {
        const id = graph.ownerId(reference, object);
        return id === undefined || ownerState(reference, graph.member(id)?.object) === "solid";
      });
      if (!isComplete || object.metadata.deletionTimestamp !== undefined) enqueue(object);
    },
    updated: (object: KubeObject, old: KubeObject) => {
      if (!semanticEqual(object.metadata.ownerReferences, old.metadata.ownerReferences)) {
        enqueue(object);
        owners(old);
      }
      if (object.metadata.deletionTimestamp !== undefined) enqueue(object);
    },
    deleted: (object: KubeObject) => {
      for (const dependent of graph.dependents(object.metadata.uid)) queue.add(memberId(dependent.informer.resource, dependent.object));
      owners(object);
    },
  };
}
