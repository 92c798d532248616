import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepFreeze } from "../lib/freeze.ts";
import { decodeObject, decodeType, type FieldValidation } from "./decode.ts";
import { kinds } from "./kinds/index.ts";
import { serviceKind } from "./kinds/services.ts";
import { podKind } from "./kinds/pods.ts";
import { StatusError } from "./status.ts";

function refusal(kind: typeof serviceKind, raw: unknown, validation: FieldValidation = "Warn"): string {
  try {
    decodeObject(kind, raw, validation);
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "decoded";
}

describe("a well-formed object", () => {
  test("is copied, completed with its kind, and rid of nulls; the input stays", () => {
    const raw = deepFreeze({
      metadata: { name: "web", creationTimestamp: null, labels: { app: "web" } },
      spec: { ports: [{ port: 80, targetPort: "http" }], selector: null },
    });
    const { object, warnings } = decodeObject(serviceKind, raw, "Strict");
    expect(object).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", labels: { app: "web" } },
      spec: { ports: [{ port: 80, targetPort: "http" }] },
    });
    expect(warnings).toEqual([]);
    expect(object.metadata.labels).not.toBe(raw.metadata.labels);
  });

  test("has its times and quantities in one form", () => {
    const raw = {
      metadata: { creationTimestamp: "2026-01-01T01:00:00.5+01:00" },
      spec: { containers: [{ name: "a", resources: { limits: { cpu: 0.5, memory: "1024Mi" } } }] },
    };
    const { object } = decodeObject(podKind, raw, "Strict");
    expect(object.metadata.creationTimestamp).toBe("2026-01-01T00:00:00Z");
    expect(object).toHaveProperty("spec.containers.0.resources.limits", { cpu: "500m", memory: "1Gi" });
  });

  test("may have null where Go has no pointer", () => {
    const raw = { spec: { containers: [null, { name: "a", args: [null] }] } };
    expect(decodeObject(podKind, raw, "Warn").object).toHaveProperty("spec.containers", [{}, { name: "a", args: [""] }]);
  });
});

describe("unknown fields", () => {
  const raw = { spec: { prots: [], ports: [{ port: 80, tragetPort: 80 }] }, extra: 1 };
  const problems = ['unknown field "spec.prots"', 'unknown field "spec.ports[0].tragetPort"', 'unknown field "extra"'];

  test("are dropped, with a warning where wanted", () => {
    expect(decodeObject(serviceKind, raw, "Warn").warnings).toEqual(problems);
    const { object, warnings } = decodeObject(serviceKind, raw, "Ignore");
    expect(warnings).toEqual([]);
    expect(object).toHaveProperty("spec", { ports: [{ port: 80 }] });
  });

  test("are an error when strict", () => {
    expect(refusal(serviceKind, raw, "Strict")).toBe(
      `400 Service in version "v1" cannot be handled as a Service: strict decoding error: ${problems.join(", ")}`,
    );
  });

  test("are also those that every JavaScript object has", () => {
    const inherited = JSON.parse('{"spec":{"constructor":{},"__proto__":{"type":"NodePort"}}}') as unknown;
    const { object, warnings } = decodeObject(serviceKind, inherited, "Warn");
    expect(warnings).toEqual(['unknown field "spec.constructor"', 'unknown field "spec.__proto__"']);
    expect(object).toHaveProperty("spec", {});
  });
});

describe("wrong types", () => {
  const prefix = '400 Service in version "v1" cannot be handled as a Service: ';
  test.each<[unknown, string]>([
    [{ spec: "x" }, "json: cannot unmarshal string into Go struct field Service.spec of type v1.ServiceSpec"],
    [{ spec: { ports: "80" } }, "json: cannot unmarshal string into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort"],
    [{ spec: { ports: [{ port: "80" }] } }, "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32"],
    [
      { spec: { ports: [{ port: 1.5 }] } },
      "json: cannot unmarshal number 1.5 into Go struct field ServicePort.spec.ports.port of type int32",
    ],
    [
      { spec: { ports: [{ port: 4e9 }] } },
      "json: cannot unmarshal number 4000000000 into Go struct field ServicePort.spec.ports.port of type int32",
    ],
    [{ spec: { ports: [{ targetPort: true }] } }, "json: cannot unmarshal bool into Go value of type int32"],
    [{ spec: { selector: [] } }, "json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type map[string]string"],
    [{ spec: { selector: { app: 1 } } }, "json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type string"],
    [{ metadata: { creationTimestamp: "now" } }, 'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"'],
  ])("%j", (raw, reason) => expect(refusal(serviceKind, raw)).toBe(prefix + reason));

  test.each([null, 1, "x", [], true])("%j is no object", (raw) =>
    expect(refusal(serviceKind, raw)).toMatch(/^400 couldn't get version\/kind/),
  );

  test("another kind or version", () => {
    expect(refusal(serviceKind, { apiVersion: "apps/v1" })).toBe(
      "400 the API version in the data (apps/v1) does not match the expected API version (v1)",
    );
    expect(refusal(serviceKind, { apiVersion: "v1", kind: "Pod" })).toBe(
      '400 Pod in version "v1" cannot be handled as a Service: converting (v1.Pod) to (core.Service): unknown conversion',
    );
  });

  test("quantities and base64", () => {
    const pod = { spec: { containers: [{ resources: { limits: { cpu: "much" } } }] } };
    expect(refusal(podKind, pod)).toContain("quantities must match the regular expression");
    const secret = kinds.find((kind) => kind.definition === "Secret") as typeof podKind;
    expect(refusal(secret, { data: { a: "a=b" } })).toContain("illegal base64 data at input byte 1");
    expect(decodeObject(secret, { data: { a: "YQ==\n" } }, "Strict").object).toHaveProperty("data", { a: "YQ==" });
  });

  test("something without end", () => {
    const cyclic: Record<string, unknown> = { manager: "a" };
    cyclic["fieldsV1"] = cyclic;
    expect(refusal(serviceKind, { metadata: { managedFields: [cyclic] } })).toContain("exceeded max depth");
  });
});

test("types that are no kinds", () => {
  expect(decodeType("DeleteOptions", { gracePeriodSeconds: 0, orphan: true })).toEqual({ gracePeriodSeconds: 0 });
  expect(() => decodeType("DeleteOptions", { gracePeriodSeconds: "0" })).toThrow(StatusError);
});

test("whatever comes in: an object or a 400", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.jsonValue(),
      fc.constantFrom<FieldValidation>("Ignore", "Warn", "Strict"),
      (kind, raw, validation) => {
        for (const body of [raw, { metadata: raw }, { spec: raw }, { status: raw, data: raw }]) {
          const answer = refusal(kind, body, validation);
          expect(answer === "decoded" || answer.startsWith("400 ")).toBe(true);
        }
      },
    ),
  );
});
