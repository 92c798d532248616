import { describe, expect, test } from "vitest";
import { faultOf, gatewayAddresses } from "./try.ts";

describe("a request to try", () => {
  const allowed = new Set(["127.0.0.1:8080"]);
  const good = { scheme: "http", via: "127.0.0.1:8080", host: "shop.localhost", method: "GET", path: "/cart?x=1", headers: { "x-a": "b" } };

  test.for([
    ["as it should be", {}, false],
    ["to a port that no gateway has", { via: "127.0.0.1:22" }, true],
    ["to another host", { via: "169.254.169.254:80" }, true],
    ["by another scheme", { scheme: "file" }, true],
    ["with a method of its own", { method: "CONNECT" }, true],
    ["with a line break in its path", { path: "/a\r\nHost: b" }, true],
    ["with a path that is none", { path: "http://evil.example/" }, true],
    ["with a line break in its host", { host: "a\r\nb" }, true],
    ["with a line break in a header", { headers: { a: "b\r\nc: d" } }, true],
    ["with a header that is none", { headers: { "a b": "c" } }, true],
    ["with a header that is no text", { headers: { a: 1 } }, true],
    ["without headers", { headers: null }, true],
  ] as const)("%s", ([, change, refused]) => {
    expect(faultOf({ ...good, ...change }, allowed) !== undefined).toBe(refused);
  });

  test.for([[null], ["text"], [[]], [{}]])("of a wrong shape: %j", ([value]) => {
    expect(faultOf(value, allowed)).toBeDefined();
  });

  test("goes where Ingresses and Gateways say that they listen", () => {
    const ingress = {
      metadata: { name: "a" },
      status: { loadBalancer: { ingress: [{ ip: "127.0.0.1", ports: [{ port: 8080 }, { port: 8443 }] }, { ip: "::1" }] } },
    };
    const gateway = {
      metadata: { name: "b" },
      spec: { listeners: [{ port: 80 }] },
      status: { addresses: [{ value: "127.97.254.9" }, { value: "name.example" }] },
    };
    expect([...gatewayAddresses([ingress, { metadata: { name: "c" } }], [gateway])]).toEqual([
      "127.0.0.1:8080",
      "127.0.0.1:8443",
      "[::1]:80",
      "[::1]:443",
      "127.97.254.9:80",
    ]);
  });
});
