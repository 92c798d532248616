import { expect, test } from "vitest";
import { readAll } from "../apply.ts";
import { fieldPath, lintManifests } from "./lint.ts";

const lintText = async (text: string) => lintManifests((await readAll([{ name: "app.yaml", text }])).manifests);

const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: 8m
    nginx.ingress.kubernetes.io/auth-tls-secret: default/ca
spec:
  rules:
    - host: shop.test
      http:
        paths:
          - path: /good
            pathType: Prefix
            backend: { service: { name: web, port: { name: http } } }
          - path: bad
            pathType: Exact
            backend: { service: { name: web, port: { number: 81 } } }
`;

test("each problem at its line, the file's own words", async () => {
  const findings = await lintText(ingress);
  expect(findings.map(({ line, column, severity, reason, field }) => [line, column, severity, reason, field])).toEqual([
    [6, expect.any(Number), "warning", "UnsupportedAnnotation", "metadata.annotations[nginx.ingress.kubernetes.io/proxy-body-size]"],
    [7, expect.any(Number), "error", "UnsupportedAnnotation", "metadata.annotations[nginx.ingress.kubernetes.io/auth-tls-secret]"],
    [16, expect.any(Number), "error", "InvalidPath", "spec.rules[0].http.paths[1].path"],
  ]);
  expect(findings[0]).toMatchObject({ file: "app.yaml", ingress: "default/web" });
});

test("Services are looked for where the files have some, endpoints never", async () => {
  const service = (port: number) =>
    `---\napiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ name: http, port: ${port} }] }\n`;
  const plain = ingress.replace(/ {2}annotations:\n.*\n.*\n/, "").replace("path: bad", "path: /bad");
  expect(await lintText(plain)).toEqual([]);
  expect((await lintText(plain + service(81))).map(({ reason }) => reason)).toEqual([]);
  expect((await lintText(plain + service(80))).map(({ line, reason }) => [line, reason])).toEqual([[13, "ServicePortNotFound"]]);
  expect((await lintText(plain + service(80).replace("name: web", "name: other"))).map(({ reason }) => reason)).toEqual([
    "ServiceNotFound",
    "ServiceNotFound",
  ]);
});

test("paths of fields", () => {
  expect(fieldPath("spec.rules[10].http.paths[2].backend.resource")).toEqual([
    "spec",
    "rules",
    10,
    "http",
    "paths",
    2,
    "backend",
    "resource",
  ]);
  expect(fieldPath("metadata.annotations[a.b/c]")).toEqual(["metadata", "annotations", "a.b/c"]);
});
