/** PersistentVolumes and claims: binding, directories for new claims, protection of what is used. */
import { keyOf, objectKey, type KubeObject } from "../../api/object.ts";
import { claimFinalizer, volumeFinalizer } from "../../api/kinds/persistent-volumes.ts";
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from "../../api/resources.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { claimKey, writeClaim, writeVolume, type VolumeWriter } from "./finalize.ts";
import { planClaim, planVolume } from "./reconcile.ts";

export const persistentVolumeController: ControllerEntry = { name: "persistentvolume", create };

/** A claim's key is `namespace/name`, and no namespace is called like this. */
const volumePrefix = "*/";

/** Pods by the claims that they mount. */
function claimValues({ metadata, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
    claim === undefined ? [] : [keyOf(metadata.namespace, claim.claimName)],
  );
}

function create(context: ControllerContext): Component {
  const { client, clock, options } = context;
  const claims = context.informers.informer(persistentVolumeClaims);
  const volumes = context.informers.informer(persistentVolumes);
  const classes = context.informers.informer(storageClasses);
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex("controllers/claim", claimValues);
  const writer: VolumeWriter = {
    client,
    recorder: context.recorder("persistentvolume-controller"),
    directory: options.volumeDirectory,
    removeDirectory: options.removeVolumeDirectory ?? (async () => undefined),
    now: () => clock.now(),
  };

  async function reconcileClaim(key: string): Promise<void> {
    const claim = claims.lister.getByKey(key);
    if (claim === undefined || isLetGo(claim, claimFinalizer)) return;
    const plan = planClaim({
      claim,
      volumes: volumes.lister.list(),
      classes: classes.lister.list(),
      users: podInformer.lister.byIndex("controllers/claim", key),
      provisions: writer.directory !== undefined,
    });
    await writeClaim(writer, claim, plan);
  }

  async function reconcileVolume(name: string): Promise<void> {
    const volume = volumes.lister.get(undefined, name);
    if (volume === undefined || isLetGo(volume, volumeFinalizer)) return;
    const key = claimKey(volume);
    await writeVolume(writer, volume, planVolume(volume, key === undefined ? undefined : claims.lister.getByKey(key)));
  }

  return createKeyController({
    name: "persistentvolume",
    context,
    // One at a time: two claims at once could choose one volume.
    workers: 1,
    informers: [claims, volumes, classes, podInformer],
    watch: (queue: KeyQueue) => {
      const ofClaim = (claim: PersistentVolumeClaim) => {
        queue.add(objectKey(claim));
        if ((claim.spec?.volumeName ?? "") !== "") queue.add(`${volumePrefix}${claim.spec?.volumeName}`);
      };
      const pending = () => claims.lister.list().forEach((claim) => (isPending(claim) ? queue.add(objectKey(claim)) : undefined));
      const ofVolume = (volume: PersistentVolume) => {
        queue.add(`${volumePrefix}${volume.metadata.name}`);
        const key = claimKey(volume);
        if (key === undefined) pending();
        else queue.add(key);
      };
      const ofPod = (pod: Pod) => claimValues(pod).forEach((key) => queue.add(key));
      const podChanged = (pod: Pod, old: Pod) => (isPodFinished(pod) === isPodFinished(old) ? undefined : ofPod(pod));
      return [
        claims.addHandlers({ added: ofClaim, updated: ofClaim, deleted: ofClaim }),
        volumes.addHandlers({ added: ofVolume, updated: ofVolume, deleted: ofVolume }),
        classes.addHandlers({ added: pending, updated: pending }),
        podInformer.addHandlers({ added: ofPod, updated: podChanged, deleted: ofPod }),
      ];
    },
    reconcile: (key) => (key.startsWith(volumePrefix) ? reconcileVolume(key.slice(volumePrefix.length)) : reconcileClaim(key)),
  });
}

const isPending = ({ spec }: PersistentVolumeClaim): boolean => (spec?.volumeName ?? "") === "";

/** Deleted, and not held by us any more: it waits for somebody else. */
const isLetGo = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) !== true;
