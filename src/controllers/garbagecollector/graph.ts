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
  readonly #byKind = new Map<string, Resource>();
  readonly #byResource = new Map<string, Informer<KubeObject>>();

  constructor(informers: readonly Informer<KubeObject>[]) {
    for (const informer of informers) this.add(informer);
  }

  get informers(): readonly Informer<KubeObject>[] {
    return [...this.#byResource.values()];
  }

  /** Before it is started. */
  add(informer: Informer<KubeObject>): void {
    const { resource } = informer;
    this.#byKind.set(`${resource.group}/${resource.kind}`, resource);
    this.#byResource.set(groupResource(resource), informer);
    informer.addIndex("controllers/owners", ownerUids);
  }

  /** Nothing more is seen of it. Its kind stays known: who is asked for an owner of it says that there is none. */
  remove(informer: Informer<KubeObject>): void {
    const name = groupResource(informer.resource);
    if (this.#byResource.get(name) === informer) this.#byResource.delete(name);
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
  resourceOf({ apiVersion, kind }: OwnerReference): Resource | undefined {
    return this.#byKind.get(kindOf(apiVersion, kind));
  }

  /** The id of an owner: in the dependent's own namespace unless its kind is cluster-wide. */
  ownerId(reference: OwnerReference, dependent: KubeObject): string | undefined {
    const resource = this.resourceOf(reference);
    if (resource === undefined) return undefined;
    return `${groupResource(resource)}|${keyOf(resource.namespaced ? dependent.metadata.namespace : undefined, reference.name)}`;
  }

  /** What refers to any object of that kind: a walk over everything, for when a kind comes or goes. */
  dependentsOfKind({ group, kind }: Resource): readonly Member[] {
    const refers = ({ apiVersion, kind: other }: OwnerReference) => kindOf(apiVersion, other) === `${group}/${kind}`;
    return this.informers.flatMap((informer) =>
      informer.lister.list().flatMap((object) => (object.metadata.ownerReferences?.some(refers) === true ? [{ informer, object }] : [])),
    );
  }
}

/** `apps/Deployment`, `/Pod` */
function kindOf(apiVersion: string, kind: string): string {
  return `${apiVersion.includes("/") ? (apiVersion.split("/")[0] as string) : ""}/${kind}`;
}

const ownerUids = ({ metadata }: KubeObject): readonly string[] => (metadata.ownerReferences ?? []).map(({ uid }) => uid);

/** `replicasets.apps|default/web-6d4cf`: names one object over all resources. */
export function memberId(resource: Resource, object: KubeObject): string {
  return `${groupResource(resource)}|${objectKey(object)}`;
}
