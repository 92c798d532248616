/** Who owns whom, read from the informers of all resources that take part. */
import { objectKey, keyOf, type KubeObject } from "../../api/object.ts";
import { groupResource, type Resource } from "../../api/resources.ts";
import type { OwnerReference } from "../../api/types.ts";
import type { Informer } from "../../client/informer.ts";

/** One object in the graph. */
export interface Member {
  readonly informer: Informer<KubeObject>;
  readonly object: KubeObject;
}

export class OwnerGraph {
  readonly informers: readonly Informer<KubeObject>[];
  readonly #byKind: ReadonlyMap<string, Informer<KubeObject>>;
  readonly #byResource: ReadonlyMap<string, Informer<KubeObject>>;

  constructor(informers: readonly Informer<KubeObject>[]) {
    this.informers = informers;
    this.#byKind = new Map(informers.map((informer) => [`${informer.resource.group}/${informer.resource.kind}`, informer]));
    this.#byResource = new Map(informers.map((informer) => [groupResource(informer.resource), informer]));
    for (const informer of informers) informer.addIndex("controllers/owners", ownerUids);
  }

  member(id: string): Member | undefined {
    const [resource = "", key = ""] = id.split("|");
    const informer = this.#byResource.get(resource);
    const object = informer?.lister.getByKey(key);
    return informer === undefined || object === undefined ? undefined : { informer, object };
  }

  dependents(uid: string | undefined): readonly Member[] {
    if (uid === undefined) return [];
    return this.informers.flatMap((informer) => informer.lister.byIndex("controllers/owners", uid).map((object) => ({ informer, object })));
  }

  /** The resource that a reference names; undefined when this program does not know the kind. The version does not matter. */
  resourceOf({ apiVersion, kind }: OwnerReference): Informer<KubeObject> | undefined {
    const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] as string) : "";
    return this.#byKind.get(`${group}/${kind}`);
  }

  /** The id of an owner: in the dependent's own namespace unless its kind is cluster-wide. */
  ownerId(reference: OwnerReference, dependent: KubeObject): string | undefined {
    const informer = this.resourceOf(reference);
    if (informer === undefined) return undefined;
    return `${groupResource(informer.resource)}|${keyOf(informer.resource.namespaced ? dependent.metadata.namespace : undefined, reference.name)}`;
  }
}

const ownerUids = ({ metadata }: KubeObject): readonly string[] => (metadata.ownerReferences ?? []).map(({ uid }) => uid);

/** `replicasets.apps|default/web-6d4cf`: names one object over all resources. */
export function memberId(resource: Resource, object: KubeObject): string {
  return `${groupResource(resource)}|${objectKey(object)}`;
}
