import { expect, test } from "vitest";
import { withoutSecrets } from "./bundle.ts";

test("values of Secrets stay behind, their keys do not", () => {
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "db" }, type: "Opaque", data: { password: "aHVudGVyMg==" } };
  expect(withoutSecrets(secret)).toMatchObject({ metadata: { name: "db" }, data: { password: "(left out)" } });
});

test("variables whose name speaks of a secret lose their value; others keep it", () => {
  const env = [
    { name: "DB_PASSWORD", value: "hunter2" },
    { name: "MODE", value: "fast" },
    { name: "TOKEN", valueFrom: { secretKeyRef: { name: "db", key: "token" } } },
  ];
  const pod = { kind: "Pod", metadata: { name: "a" }, spec: { containers: [{ name: "c", env }], serviceAccountName: "default" } };
  expect(withoutSecrets(pod)).toMatchObject({
    spec: {
      containers: [
        {
          env: [
            { name: "DB_PASSWORD", value: "(left out)" },
            { name: "MODE", value: "fast" },
            { valueFrom: { secretKeyRef: { name: "db", key: "token" } } },
          ],
        },
      ],
      serviceAccountName: "default",
    },
  });
});
