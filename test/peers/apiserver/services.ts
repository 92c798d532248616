/** Services as people and fuzzers write them: per field the values that matter, good and bad. */
import fc from "fast-check";

type Spec = Record<string, unknown>;

const maybe = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 });
const rarely = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 6 });
/** Most fields are left out most of the time: faults would hide each other. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | undefined> =>
  fc.integer({ min: 1, max: oneIn }).chain((n) => (n === 1 ? arbitrary : fc.constant(undefined)));

const port = fc.record({
  name: maybe(["http", "https", "UPPER", "dns", "a-very-long-port-name-that-is-still-a-label", "bad_name", ""]),
  protocol: maybe(["TCP", "UDP", "SCTP", "tcp", "HTTP", ""]),
  port: fc.constantFrom(80, 443, 53, 1, 65535, 0, -1, 65536, 80, 80),
  targetPort: maybe<unknown>([80, "http", 0, "", 70000, "a_b", "toolongportname-toolong", "80", "1-", -3]),
  nodePort: seldom(fc.constantFrom(30080, 30081, 32767, 29999, 0, 32768, -1), 3),
  appProtocol: seldom(fc.constantFrom("http", "kubernetes.io/h2c", "bad/", "example.com/x/y", ""), 5),
});

const addresses4 = ["10.96.7.1", "10.96.7.2", "10.0.0.1", "010.96.7.3", "10.96.0.0", "10.96.255.255", "not-an-ip", "10.96.0.1"];
const addresses6 = ["fd00:10:96::77", "FD00:10:96::78", "fd00:10:96:0::79", "::ffff:10.96.7.9", "2001:db8::1"];

export const service: fc.Arbitrary<Spec> = fc
  .record({
    type: rarely(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "ClusterIP", "NodePort", "LoadBalancer", "clusterip", ""]),
    ports: fc.option(fc.array(port, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 12 }),
    selector: seldom(fc.constantFrom<object>({ app: "web" }, {}, { "bad key": "v" }, { app: "bad value!" }), 3),
    clusterIP: seldom(fc.constantFrom("None", "", ...addresses4, ...addresses6), 4),
    clusterIPs: seldom(fc.array(fc.constantFrom("None", "", ...addresses4, ...addresses6), { maxLength: 3 }), 5),
    ipFamilies: seldom(fc.array(fc.constantFrom("IPv4", "IPv6", "IPv5", ""), { maxLength: 3 }), 4),
    ipFamilyPolicy: seldom(fc.constantFrom("SingleStack", "PreferDualStack", "RequireDualStack", "Both"), 4),
    externalIPs: seldom(
      fc.array(
        fc.constantFrom(
          "192.0.2.1",
          "0.0.0.0",
          "127.0.0.1",
          "169.254.1.1",
          "224.0.0.1",
          "010.1.1.1",
          "::1",
          "fe80::1",
          "x",
          "2001:db8::1",
          "2001:DB8::1",
        ),
        { maxLength: 2 },
      ),
      5,
    ),
    externalName: seldom(fc.constantFrom("example.com", "example.com.", "Bad_Name", "", "1.2.3.4"), 3),
    sessionAffinity: seldom(fc.constantFrom("None", "ClientIP", "Cookie"), 3),
    sessionAffinityConfig: seldom(
      fc.constantFrom<object>(
        {},
        { clientIP: {} },
        { clientIP: { timeoutSeconds: 0 } },
        { clientIP: { timeoutSeconds: 86400 } },
        { clientIP: { timeoutSeconds: 86401 } },
        { clientIP: { timeoutSeconds: 5 } },
      ),
      4,
    ),
    externalTrafficPolicy: seldom(fc.constantFrom("Cluster", "Local", "Global", ""), 4),
    internalTrafficPolicy: seldom(fc.constantFrom("Cluster", "Local", "Global", ""), 4),
    healthCheckNodePort: seldom(fc.constantFrom(30900, 30901, 0, -1, 100, 65536), 6),
    loadBalancerIP: seldom(fc.constantFrom("192.0.2.7", "x", "192.000.2.7", "2001:DB8::7"), 6),
    loadBalancerSourceRanges: seldom(
      fc.array(fc.constantFrom("10.0.0.0/8", " 10.0.0.0/8 ", "10.0.0.1/8", "x", "10.0.0.0/33", "2001:DB8::/32", "::ffff:10.0.0.0/104"), {
        maxLength: 2,
      }),
      5,
    ),
    loadBalancerClass: seldom(fc.constantFrom("example.com/lb", "lb", "bad class", "", "a/b/c"), 5),
    allocateLoadBalancerNodePorts: seldom(fc.boolean(), 4),
    publishNotReadyAddresses: seldom(fc.boolean(), 6),
    trafficDistribution: seldom(fc.constantFrom("PreferClose", "PreferSameZone", "PreferSameNode", "Nearby", ""), 5),
  })
  .map(withoutUndefined);

export const metadata: fc.Arbitrary<Spec> = fc
  .record({
    name: fc.constantFrom("web", "web", "web", "web", "web", "web", "0web", "Web", "web.dot", "a".repeat(64), ""),
    generateName: seldom(fc.constantFrom("gen-", "Gen_"), 12),
    labels: seldom(fc.constantFrom<object>({ a: "b" }, { "bad key": "v" }, { k: "bad value!" }, { "a/b/c": "x" }), 6),
    annotations: seldom(
      fc.constantFrom<object>(
        { a: "b" },
        { "service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, 10.0.0.1/8" },
        { "service.kubernetes.io/topology-aware-hints": "auto" },
        { "bad key": "x" },
      ),
      6,
    ),
    finalizers: seldom(fc.constantFrom<string[]>(["example.com/x"], ["bad"], ["orphan", "foregroundDeletion"]), 15),
  })
  .map(withoutUndefined);

function withoutUndefined(value: object): Spec {
  return JSON.parse(JSON.stringify(value)) as Spec;
}
