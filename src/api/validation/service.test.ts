import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fieldErrorText, type FieldError } from "../field-error.ts";
import { serviceKind } from "../kinds/services.ts";
import type { Draft } from "../object.ts";
import type { Service, ServiceSpec } from "../types.ts";
import { validateMetadata, validateMetadataUpdate } from "./metadata.ts";
import { validateExternalTrafficPolicy } from "./service-traffic.ts";
import { validateService } from "./service.ts";

const base: Draft<ServiceSpec> = {
  type: "ClusterIP",
  sessionAffinity: "None",
  internalTrafficPolicy: "Cluster",
  selector: { app: "web" },
  ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: 8080 }],
};

const service = (spec: Draft<ServiceSpec>): Service => ({ metadata: { name: "web", namespace: "default" }, spec: { ...base, ...spec } });

const texts = (errors: readonly FieldError[]) => errors.map(fieldErrorText);

const port = (fields: object) => ({ name: "http", protocol: "TCP", port: 80, targetPort: 80, ...fields });

describe("a Service by itself", () => {
  test.each<[string, Draft<ServiceSpec>, string[]]>([
    ["valid", {}, []],
    ["no ports", { ports: [] }, ["spec.ports: Required value"]],
    [
      "port out of range",
      { ports: [port({ port: 70000 })] },
      ["spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    ],
    [
      "one number twice",
      { ports: [port({ name: "a" }), port({ name: "b" })] },
      ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}'],
    ],
    ["one number on two protocols", { ports: [port({ name: "a" }), port({ name: "b", protocol: "UDP" })] }, []],
    ["nameless ports", { ports: [port({ name: "" }), port({ name: "b", port: 81 })] }, ["spec.ports[0].name: Required value"]],
    [
      "unknown protocol",
      { ports: [port({ protocol: "HTTP" })] },
      ['spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      "node port of a ClusterIP",
      { ports: [port({ nodePort: 30080 })] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      "affinity too long",
      { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
      ["spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400"],
    ],
    [
      "affinity config without affinity",
      { sessionAffinityConfig: {} },
      ["spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None"],
    ],
    [
      "loopback as external address",
      { externalIPs: ["127.0.0.1"], externalTrafficPolicy: "Cluster" },
      ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ],
    [
      "leading zeros",
      { externalIPs: ["010.0.0.1"], externalTrafficPolicy: "Cluster" },
      ['spec.externalIPs[0]: Invalid value: "010.0.0.1": must not have leading 0s'],
    ],
    [
      "distribution",
      { trafficDistribution: "Nearby" },
      ['spec.trafficDistribution: Unsupported value: "Nearby": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"'],
    ],
    ["same node", { trafficDistribution: "PreferSameNode" }, []],
    [
      "policy of an inner Service",
      { externalTrafficPolicy: "Local" },
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      "ranges of an inner Service",
      { loadBalancerSourceRanges: ["10.0.0.5/8"] },
      [
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.5/8": must not have bits set beyond the prefix length',
      ],
    ],
    [
      "None and more",
      { clusterIP: "None", clusterIPs: ["None", "10.0.0.1"] },
      ['spec.clusterIPs: Invalid value: ["None","10.0.0.1"]: \'None\' must be the first and only value'],
    ],
  ])("%s", (_, spec, errors) => expect(texts(validateService(service(spec)))).toEqual(errors));

  test("an ExternalName has a name and no addresses", () => {
    const named = service({
      type: "ExternalName",
      externalName: "db.example.com.",
      clusterIPs: ["10.0.0.1"],
      ipFamilyPolicy: "SingleStack",
    });
    expect(texts(validateService(named))).toEqual([
      "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
      "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services",
    ]);
    expect(texts(validateService(service({ type: "ExternalName" })))).toEqual(["spec.externalName: Required value"]);
  });

  test("kept values are not judged again", () => {
    const old = service({ externalIPs: ["010.0.0.1"], externalTrafficPolicy: "Cluster" });
    expect(validateService(service({ externalIPs: ["010.0.0.1"], externalTrafficPolicy: "Cluster" }), old)).toEqual([]);
  });
});

describe("a change of a Service", () => {
  const held = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" };

  test("the address stays", () => {
    const changed = service({ ...held, clusterIP: "10.0.0.2", clusterIPs: ["10.0.0.2"] });
    expect(texts(validateService(changed, service(held)))).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
    ]);
  });

  test("the health check port stays", () => {
    const balancer = { ...held, type: "LoadBalancer", externalTrafficPolicy: "Local", allocateLoadBalancerNodePorts: true };
    const errors = validateService(
      service({ ...balancer, healthCheckNodePort: 31001 }),
      service({ ...balancer, healthCheckNodePort: 31000 }),
    );
    expect(texts(errors)).toEqual(["spec.healthCheckNodePort: Forbidden: field is immutable"]);
  });
});

/** The shared acceptance cases lie beside the repository on the project's own machines; a clone has none. */
const casesFile = "../shared/cases/service-validation-cases.json";

interface CreateCase {
  readonly name: string;
  readonly service: Service;
  readonly numErrs: number;
}

interface UpdateCase {
  readonly name: string;
  readonly old: Service;
  readonly new: Service;
  readonly numErrs: number;
}

/** As upstream's function under test: `metadata` included. */
const alone = (object: Service) => [...validateMetadata(serviceKind, object), ...validateService(object)];
const changed = (object: Service, old: Service) => [
  ...validateMetadataUpdate(object, old),
  ...validateMetadata(serviceKind, object),
  ...validateService(object, old),
];

describe.skipIf(!existsSync(casesFile))("the shared cases (skipped where ../shared/cases is absent)", () => {
  const cases = existsSync(casesFile)
    ? (JSON.parse(readFileSync(casesFile, "utf8")) as {
        create: readonly CreateCase[];
        externalTrafficPolicy: readonly CreateCase[];
        update: readonly UpdateCase[];
      })
    : { create: [], externalTrafficPolicy: [], update: [] };

  test("number of errors", () => {
    const results = [
      ...cases.create.map((each) => ({ ...each, errors: alone(each.service) })),
      // This table counts the errors of the policy's own function: its Services have other faults as well.
      ...cases.externalTrafficPolicy.map((each) => ({ ...each, errors: validateExternalTrafficPolicy(each.service.spec ?? {}) })),
      ...cases.update.map((each) => ({ ...each, errors: changed(each.new, each.old) })),
    ];
    const misses = results
      .filter(({ errors, numErrs }) => errors.length !== numErrs)
      .map(({ name, numErrs, errors }) => `${name}: want ${numErrs}, got ${JSON.stringify(texts(errors))}`);
    expect(results.length).toBeGreaterThan(140);
    expect(misses).toEqual([]);
  });
});
