/**
 * A small operator: for every Service labelled `publish=true` it keeps a ConfigMap `NAME-address` with the Service's host name and
 * ready endpoints, and takes it away with the Service.
 */
import { KubeConfig, CoreV1Api, DiscoveryV1Api, Watch } from "@kubernetes/client-node";

/** Runs until the signal aborts. `kubeconfig`: a path; `namespace`: the one it looks after. */
export async function runOperator({ kubeconfig, namespace, signal }) {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const discovery = config.makeApiClient(DiscoveryV1Api);
  let running = Promise.resolve();
  const reconcileSoon = () => (running = running.then(() => reconcile(core, discovery, namespace)).catch((error) => console.error(error)));
  const paths = [`/api/v1/namespaces/${namespace}/services`, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`];
  await Promise.all(paths.map((path) => follow(new Watch(config), path, reconcileSoon, signal)));
  await running;
}

/** Watches again whenever a watch ends: servers close them, networks break. */
async function follow(watch, path, changed, signal) {
  while (!signal.aborted) {
    const { promise: ended, resolve } = Promise.withResolvers();
    const request = await watch.watch(path, {}, changed, resolve).catch(resolve);
    const abort = () => request?.abort();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    await ended;
    signal.removeEventListener("abort", abort);
    // What happened between two watches is seen by looking again.
    if (!signal.aborted) await new Promise((later) => setTimeout(later, 50)).then(changed);
  }
}

async function reconcile(core, discovery, namespace) {
  const [services, slices, configMaps] = await Promise.all([
    core.listNamespacedService({ namespace, labelSelector: "publish=true" }),
    discovery.listNamespacedEndpointSlice({ namespace }),
    core.listNamespacedConfigMap({ namespace, labelSelector: "made-by=publisher" }),
  ]);
  const wanted = new Map(services.items.map((service) => [`${service.metadata.name}-address`, dataOf(service, slices.items)]));
  const existing = new Map(configMaps.items.map((configMap) => [configMap.metadata.name, configMap]));
  for (const [name, data] of wanted) {
    const body = { metadata: { name, labels: { "made-by": "publisher" } }, data };
    const found = existing.get(name);
    if (found === undefined) await core.createNamespacedConfigMap({ namespace, body });
    else if (JSON.stringify(found.data) !== JSON.stringify(data)) await core.replaceNamespacedConfigMap({ namespace, name, body });
  }
  for (const name of existing.keys()) if (!wanted.has(name)) await core.deleteNamespacedConfigMap({ namespace, name });
}

function dataOf(service, slices) {
  const { name, namespace } = service.metadata;
  const ready = slices
    .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name)
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .flatMap((endpoint) => endpoint.addresses);
  return { endpoints: ready.sort().join(","), host: `${name}.${namespace}.svc` };
}
