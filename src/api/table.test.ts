import { describe, expect, test } from "vitest";
import { kinds } from "./kinds/index.ts";
import type { KindSpec } from "./kind.ts";
import type { KubeObject } from "./object.ts";
import { tableOf } from "./table.ts";

const now = Date.UTC(2026, 0, 1, 1);
const metadata = { name: "web", namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" };

const kindOf = (definition: string): KindSpec => kinds.find((kind) => kind.definition === definition) as KindSpec;

/** The row as `kubectl get -o wide` shows it, columns joined by a bar. */
function row(definition: string, object: object): string {
  return (tableOf(kindOf(definition), [{ metadata, ...object } as KubeObject], { now }).rows[0]?.cells ?? []).join("|");
}

test.each([
  ["Service", "Name|Type|Cluster-IP|External-IP|Port(s)|Age|(Selector)"],
  ["Pod", "Name|Ready|Status|Restarts|Age|(IP)|(Node)|(Nominated Node)|(Readiness Gates)"],
  ["Deployment", "Name|Ready|Up-to-date|Available|Age|(Containers)|(Images)|(Selector)"],
  ["ReplicaSet", "Name|Desired|Current|Ready|Age|(Containers)|(Images)|(Selector)"],
  ["Node", "Name|Status|Roles|Age|Version|(Internal-IP)|(External-IP)|(OS-Image)|(Kernel-Version)|(Container-Runtime)"],
  ["Event", "Last Seen|Type|Reason|Object|(Subobject)|(Source)|Message|(First Seen)|(Count)|(Name)"],
  ["EndpointSlice", "Name|AddressType|Ports|Endpoints|Age"],
  ["Endpoints", "Name|Endpoints|Age"],
  ["Lease", "Name|Holder|Age"],
  ["Namespace", "Name|Status|Age"],
  ["ConfigMap", "Name|Data|Age"],
  ["Secret", "Name|Type|Data|Age"],
  ["ServiceAccount", "Name|Secrets|Age"],
])("columns of %s, those of -o wide in parentheses", (definition, columns) => {
  const shown = kindOf(definition).columns.map(({ name, priority }) => (priority === 1 ? `(${name})` : name));
  expect(shown.join("|")).toBe(columns);
});

const port = (fields: object) => ({ port: 80, protocol: "TCP", ...fields });

test.each<[string, object, string]>([
  [
    "Service",
    {
      spec: {
        type: "ClusterIP",
        clusterIPs: ["10.96.0.1"],
        ports: [port({}), port({ port: 53, protocol: "UDP" })],
        selector: { b: "2", a: "1" },
      },
    },
    "web|ClusterIP|10.96.0.1|<none>|80/TCP,53/UDP|60m|a=1,b=2",
  ],
  [
    "Service",
    { spec: { type: "NodePort", clusterIPs: ["10.96.0.1"], ports: [port({ nodePort: 30080 })] } },
    "web|NodePort|10.96.0.1|<none>|80:30080/TCP|60m|<none>",
  ],
  ["Service", { spec: { type: "ExternalName", externalName: "example.com" } }, "web|ExternalName|<none>|example.com|<none>|60m|<none>"],
  ["Service", { spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.1"] } }, "web|LoadBalancer|10.96.0.1|<pending>|<none>|60m|<none>"],
  [
    "Service",
    {
      spec: { type: "LoadBalancer", externalIPs: ["1.2.3.4"] },
      status: { loadBalancer: { ingress: [{ hostname: "lb" }, { ip: "127.0.0.1" }] } },
    },
    "web|LoadBalancer|<none>|127.0.0.1,lb,1.2.3.4|<none>|60m|<none>",
  ],
  [
    "Deployment",
    {
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: "web" } },
        template: {
          spec: {
            containers: [
              { name: "a", image: "x" },
              { name: "b", image: "y" },
            ],
          },
        },
      },
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 },
    },
    "web|2/3|3|1|60m|a,b|x,y|app=web",
  ],
  [
    "Endpoints",
    {
      subsets: [
        { addresses: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }], ports: [{ port: 80 }, { port: 81 }] },
        { addresses: [{ ip: "fd00::1" }], ports: [{ port: 80 }] },
      ],
    },
    "web|10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 2 more...|60m",
  ],
  ["Endpoints", {}, "web|<none>|60m"],
  ["EndpointSlice", { addressType: "IPv4", ports: [{ port: 80 }, { name: "x" }, {}], endpoints: [] }, "web|IPv4|80,x,*|<unset>|60m"],
  [
    "Node",
    {
      metadata: { ...metadata, labels: { "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "worker" } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        nodeInfo: { kubeletVersion: "v1.36.0" },
      },
    },
    "web|Ready,SchedulingDisabled|control-plane,worker|60m|v1.36.0|127.0.0.1|<none>|<unknown>|<unknown>|<unknown>",
  ],
  [
    "Event",
    {
      involvedObject: { kind: "Pod", name: "a" },
      type: "Warning",
      reason: "Failed",
      message: " no such file\n",
      eventTime: "2026-01-01T00:30:00.000000Z",
      reportingComponent: "kubelet",
      reportingInstance: "node",
    },
    "30m|Warning|Failed|pod/a||kubelet, node|no such file|30m|1|web",
  ],
  ["Secret", { type: "Opaque", data: { a: "", b: "" } }, "web|Opaque|2|60m"],
  ["ConfigMap", { data: { a: "" }, binaryData: { b: "" } }, "web|2|60m"],
])("a row of %s", (definition, object, cells) => expect(row(definition, object)).toBe(cells));

describe("the status of a pod", () => {
  const spec = { containers: [{ name: "a" }, { name: "b" }], initContainers: [{ name: "i" }] };
  const running = { ready: true, restartCount: 0, state: { running: {} } };
  const pod = (status: object, more: object = {}) =>
    row("Pod", { spec, status, ...more })
      .split("|")
      .slice(1, 4)
      .join(" ");

  test.each<[string, object, object]>([
    ["0/2 Pending 0", { phase: "Pending" }, {}],
    ["0/2 Init:0/1 0", { phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] }, {}],
    [
      "0/2 Init:Error 2",
      {
        phase: "Pending",
        initContainerStatuses: [{ name: "i", restartCount: 2, state: { terminated: { exitCode: 1, reason: "Error" } } }],
      },
      {},
    ],
    ["2/2 Running 0", { phase: "Running", containerStatuses: [running, running] }, {}],
    [
      "1/2 CrashLoopBackOff 4 (30m ago)",
      {
        phase: "Running",
        containerStatuses: [
          running,
          {
            ready: false,
            restartCount: 4,
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:30:00Z" } },
          },
        ],
      },
      {},
    ],
    ["0/2 Completed 0", { phase: "Succeeded", containerStatuses: [{ state: { terminated: { exitCode: 0, reason: "Completed" } } }] }, {}],
    [
      "1/2 NotReady 0",
      {
        phase: "Running",
        containerStatuses: [{ ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: "Completed" } } }, running],
      },
      {},
    ],
    ["0/2 ExitCode:3 0", { phase: "Failed", containerStatuses: [{ state: { terminated: { exitCode: 3 } } }] }, {}],
    ["0/2 SchedulingGated 0", { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] }, {}],
    [
      "2/2 Terminating 0",
      { phase: "Running", containerStatuses: [running, running] },
      { metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:59:00Z" } },
    ],
    ["0/2 Evicted 0", { phase: "Failed", reason: "Evicted" }, {}],
  ])("%s", (expected, status, more) => expect(pod(status, more)).toBe(expected));

  test("counts a sidecar among the containers", () => {
    const sidecar = { ...spec, initContainers: [{ name: "i", restartPolicy: "Always" }] };
    const status = {
      phase: "Running",
      initContainerStatuses: [{ name: "i", started: true, ...running }],
      containerStatuses: [running, running],
    };
    expect(row("Pod", { spec: sidecar, status }).split("|")[1]).toBe("3/3");
  });
});

test("events are listed by time, and rows carry what is asked for", () => {
  const event = (name: string, lastTimestamp: string) =>
    ({ metadata: { ...metadata, name }, involvedObject: {}, lastTimestamp }) as KubeObject;
  const events = [event("late", "2026-01-01T00:50:00Z"), event("early", "2026-01-01T00:10:00Z")];
  const table = tableOf(kindOf("Event"), events, { now });
  expect(table.rows.map(({ cells }) => cells.at(-1))).toEqual(["early", "late"]);
  expect(table.rows[0]?.object).toMatchObject({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: { name: "early" } });
  const bare = tableOf(kindOf("Event"), events, { now, includeObject: "None", withoutColumns: true });
  expect(bare.columnDefinitions).toEqual([]);
  expect(bare.rows[0]).not.toHaveProperty("object");
});
