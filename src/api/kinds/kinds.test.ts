import { describe, expect, test } from "vitest";
import { decodeObject } from "../decode.ts";
import { fieldErrorText } from "../field-error.ts";
import { prepare } from "../prepare.ts";
import { definitions } from "../schema/schema.ts";
import { kinds } from "./index.ts";
import { context, faults, kindOf, stored, write } from "./testing.ts";

const meta = { name: "web", namespace: "default" };
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } };
const deployment = { metadata: meta, spec: { selector: { matchLabels: { app: "web" } }, template } };

test("every kind has its own definition, resource, and names that clash with no other", () => {
  for (const kind of kinds) expect(definitions).toHaveProperty(kind.definition);
  // An alias is meant to clash.
  const own = kinds.filter(({ alias }) => alias === undefined);
  const names = own.flatMap((kind) => [kind.resource.plural, kind.singular, ...kind.shortNames]);
  // A kind whose singular is its plural has one name less.
  expect(new Set(names).size).toBe(names.length - own.filter((kind) => kind.singular === kind.resource.plural).length);
});

describe("defaults", () => {
  test("of a Deployment and its template", () => {
    expect(stored("Deployment", deployment)).toMatchObject({
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
        template: {
          spec: {
            restartPolicy: "Always",
            dnsPolicy: "ClusterFirst",
            schedulerName: "default-scheduler",
            terminationGracePeriodSeconds: 30,
            securityContext: {},
            containers: [
              {
                imagePullPolicy: "IfNotPresent",
                resources: {},
                terminationMessagePath: "/dev/termination-log",
                terminationMessagePolicy: "File",
              },
            ],
          },
        },
      },
    });
  });

  test("are the same the second time", () => {
    const once = stored("Deployment", deployment);
    expect(stored("Deployment", structuredClone(once), once)).toEqual(once);
  });

  test.each([
    ["web", "Always"],
    ["web:latest", "Always"],
    ["localhost:5000/web", "Always"],
    ["localhost:5000/web:1", "IfNotPresent"],
    ["web@sha256:00", "IfNotPresent"],
  ])("image %s is pulled %s", (image, policy) => {
    const pod = stored("Pod", { metadata: meta, spec: { containers: [{ name: "web", image }] } });
    expect(pod).toHaveProperty("spec.containers.0.imagePullPolicy", policy);
  });

  test("of a pod", () => {
    const pod = stored("Pod", {
      metadata: meta,
      spec: {
        containers: [
          {
            name: "web",
            image: "web:1",
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: "1" } },
            readinessProbe: { httpGet: { port: 80 } },
          },
        ],
        volumes: [{ name: "tmp" }, { name: "config", configMap: { name: "config" } }],
      },
    });
    expect(pod).toMatchObject({
      spec: {
        enableServiceLinks: true,
        containers: [
          {
            ports: [{ containerPort: 80, protocol: "TCP" }],
            resources: { limits: { cpu: "1" }, requests: { cpu: "1" } },
            readinessProbe: {
              httpGet: { path: "/", port: 80, scheme: "HTTP" },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
          },
        ],
        volumes: [
          { name: "tmp", emptyDir: {} },
          { name: "config", configMap: { name: "config", defaultMode: 420 } },
        ],
      },
      status: { phase: "Pending", qosClass: "Burstable" },
    });
  });

  test("of a Namespace and a Secret", () => {
    expect(stored("Namespace", { metadata: { name: "a" } })).toMatchObject({
      metadata: { labels: { "kubernetes.io/metadata.name": "a" } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
    const secret = stored("Secret", { metadata: meta, stringData: { a: "b" }, data: { c: "ZA==" } });
    expect(secret).toMatchObject({ type: "Opaque", data: { a: "Yg==", c: "ZA==" } });
    expect(secret).not.toHaveProperty("stringData");
  });
});

describe("validation of", () => {
  const pod = (spec: object) => ({ metadata: meta, spec: { containers: [{ name: "web", image: "web:1" }], ...spec } });
  const container = (fields: object) => pod({ containers: [{ name: "web", image: "web:1", ...fields }] });
  const selects = { ...deployment.spec, selector: { matchLabels: { app: "other" } } };

  test.each<[string, string, object, string[]]>([
    ["a pod without containers", "Pod", pod({ containers: [] }), ["spec.containers: Required value"]],
    ["an image", "Pod", container({ image: "" }), ["spec.containers[0].image: Required value"]],
    [
      "a mount",
      "Pod",
      container({ volumeMounts: [{ name: "x", mountPath: "/x" }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
    [
      "a port",
      "Pod",
      container({ ports: [{ containerPort: 99999 }] }),
      ["spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive"],
    ],
    [
      "a probe",
      "Pod",
      container({ livenessProbe: { successThreshold: 2 } }),
      [
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      ],
    ],
    [
      "a variable",
      "Pod",
      container({ env: [{ name: "A", value: "b", valueFrom: { fieldRef: { fieldPath: "spec.x" } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name", "metadata.namespace", ' +
          '"metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
      ],
    ],
    [
      "resources",
      "Pod",
      container({ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      "a volume of two kinds",
      "Pod",
      pod({ volumes: [{ name: "a", emptyDir: {}, hostPath: { path: "/a" } }] }),
      ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ],
    [
      "a policy",
      "Pod",
      pod({ restartPolicy: "Sometimes" }),
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ],
    [
      "an init container",
      "Pod",
      pod({ initContainers: [{ name: "web", image: "x", readinessProbe: { exec: { command: ["a"] } } }] }),
      [
        'spec.initContainers[0].name: Duplicate value: "web"',
        "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
      ],
    ],
    [
      "a toleration",
      "Pod",
      pod({ tolerations: [{ operator: "Equal" }] }),
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      "a selector that misses its template",
      "Deployment",
      { ...deployment, spec: selects },
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      "a strategy that stands still",
      "Deployment",
      {
        ...deployment,
        spec: { ...deployment.spec, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } } },
      },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      "an endpoint on the loopback",
      "Endpoints",
      { metadata: meta, subsets: [{ addresses: [{ ip: "127.0.0.1" }] }] },
      ['subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ],
    [
      "a slice",
      "EndpointSlice",
      { metadata: meta, addressType: "IPv4", endpoints: [{ addresses: ["fd00::1"] }, { addresses: [] }] },
      [
        'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be a valid IPv4 address',
        "endpoints[1].addresses: Required value: must contain at least 1 address",
      ],
    ],
    [
      "a secret for TLS",
      "Secret",
      { metadata: meta, type: "kubernetes.io/tls" },
      ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
    ],
    [
      "an event of elsewhere",
      "Event",
      { metadata: meta, involvedObject: { namespace: "other" } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      "a lease",
      "Lease",
      { metadata: meta, spec: { leaseDurationSeconds: 0 } },
      ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ],
    [
      "taints",
      "Node",
      { metadata: { name: "a" }, spec: { taints: [{ key: "a", effect: "Later" }] } },
      ['metadata.taints[0].effect: Unsupported value: "Later": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"'],
    ],
  ])("%s", (_, definition, raw, errors) => expect(faults(definition, raw)).toEqual(errors));

  test("a running pod: the image may change, the rest not", () => {
    const old = stored("Pod", pod({}));
    expect(faults("Pod", container({ image: "web:2" }), old)).toEqual([]);
    expect(faults("Pod", container({ command: ["x"] }), old)[0]).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than `spec\.containers/,
    );
  });

  test("immutable data, and a selector once chosen", () => {
    const old = stored("ConfigMap", { metadata: meta, immutable: true, data: { a: "1" } });
    expect(faults("ConfigMap", { metadata: meta, immutable: true, data: { a: "2" } }, old)).toEqual([
      "data: Forbidden: field is immutable when `immutable` is set",
    ]);
    const labels = { app: "web", tier: "front" };
    const other = { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } };
    expect(faults("Deployment", { metadata: meta, spec: other }, stored("Deployment", deployment))).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"front"}}: field is immutable',
    ]);
  });
});

test("in loopback mode endpoints may be on the loopback", () => {
  const kind = kindOf("EndpointSlice");
  const raw = { metadata: meta, addressType: "IPv4", endpoints: [{ addresses: ["127.97.0.2"] }] };
  expect(prepare(kind, decodeObject(kind, raw, "Strict").object, undefined, { ...context, allowLoopbackEndpoints: true }).errors).toEqual(
    [],
  );
});

describe("warnings of", () => {
  const twice = [
    { name: "a", image: "a:1", ports: [{ containerPort: 80 }], env: [{ name: "A" }, { name: "A" }] },
    { name: "b", image: "b:1", ports: [{ containerPort: 80 }] },
  ];

  test.each<[string, string, object, string[]]>([
    [
      "a pod",
      "Pod",
      { metadata: meta, spec: { containers: twice } },
      [
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
      ],
    ],
    [
      "a headless Service",
      "Service",
      { metadata: meta, spec: { clusterIP: "None", clusterIPs: ["None"], sessionAffinity: "ClientIP", ports: [] } },
      ["spec.SessionAffinity is ignored for headless services"],
    ],
    [
      "an external address",
      "Service",
      { metadata: meta, spec: { ports: [{ port: 80 }], externalIPs: ["FD00::1"] } },
      [
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        'spec.externalIPs[0]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")',
      ],
    ],
  ])("%s", (_, definition, raw, warnings) => {
    const prepared = write(definition, raw);
    expect(prepared.errors.map(fieldErrorText)).toEqual([]);
    expect(prepared.warnings).toEqual(warnings);
  });
});
