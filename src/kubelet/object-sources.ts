/** ConfigMaps, Secrets and Services for the pods of this node, out of the informers. */
import { configMaps, secrets, services } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { ConfigMap, Container, Pod, Secret, Service } from "../api/types.ts";
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import type { Informer, InformerFactory } from "../client/informer.ts";
import { declaredContainers } from "./container-record.ts";
import type { PodSources } from "./environment.ts";
import { pullSecretNames } from "./pull-secrets.ts";

export class ObjectSources {
  readonly configMaps: Informer<ConfigMap>;
  readonly secrets: Informer<Secret>;
  readonly #services: Informer<Service>;
  readonly #client: Client;

  constructor(client: Client, informers: InformerFactory) {
    this.#client = client;
    this.configMaps = informers.informer(configMaps);
    this.secrets = informers.informer(secrets);
    this.#services = informers.informer(services);
  }

  /** All Services, once the first list is in: a container must not start without their variables. */
  async services(signal?: AbortSignal): Promise<readonly Service[]> {
    if (!this.#services.synced) await this.#services.waitForSync(signal);
    return this.#services.lister.list();
  }

  /** The objects that a pod names. What the informers do not have yet is asked of the API: it may be milliseconds old. */
  async load(pod: Pod): Promise<PodSources> {
    const names = referencedNames(pod);
    const [maps, private_] = await Promise.all([
      this.#all(configMaps, this.configMaps, pod.metadata.namespace, names.configMaps),
      this.#all(secrets, this.secrets, pod.metadata.namespace, names.secrets),
    ]);
    return { configMap: (name) => maps.get(name), secret: (name) => private_.get(name) };
  }

  async #all<T extends KubeObject>(
    resource: Resource<T>,
    informer: Informer<T>,
    namespace: string | undefined,
    names: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, T>> {
    const found = new Map<string, T>();
    for (const name of names) {
      const object = informer.lister.get(namespace, name) ?? (await this.#get(resource, namespace, name));
      if (object !== undefined) found.set(name, object);
    }
    return found;
  }

  async #get<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string): Promise<T | undefined> {
    try {
      return await this.#client.get(resource, { namespace, name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

export interface ReferencedNames {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/** The ConfigMaps and Secrets that a pod's containers, volumes and pull secrets name. */
export function referencedNames(pod: Pod): ReferencedNames {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined) => name !== undefined && name !== "" && set.add(name);
  for (const name of pullSecretNames(pod)) add(secrets, name);
  const containers: readonly Container[] = declaredContainers(pod).map(({ container }) => container);
  for (const { configMapRef, secretRef } of containers.flatMap(({ envFrom }) => envFrom ?? [])) {
    add(configMaps, configMapRef?.name);
    add(secrets, secretRef?.name);
  }
  for (const { valueFrom } of containers.flatMap(({ env }) => env ?? [])) {
    add(configMaps, valueFrom?.configMapKeyRef?.name);
    add(secrets, valueFrom?.secretKeyRef?.name);
  }
  for (const { configMap, secret, projected } of pod.spec?.volumes ?? []) {
    add(configMaps, configMap?.name);
    add(secrets, secret?.secretName);
    for (const source of projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  return { configMaps, secrets };
}
