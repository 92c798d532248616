import { expect, test } from "vitest";
import type { Route } from "../../decide/routes/index.ts";
import { ingress, path, processed } from "../../decide/routes/testing.ts";
import type { Terminal } from "../terminal.ts";
import { routesText } from "./routes.ts";

const plain = new Proxy({}, { get: () => (text: string) => text }) as Terminal["paint"];

test("rules of Ingresses, then those of each Gateway, then what nobody serves", () => {
  const route: Route = {
    id: "HTTPRoute shop/web spec.rules[0].matches[0]",
    source: { kind: "HTTPRoute", namespace: "shop", name: "web", field: "spec.rules[0].matches[0]" },
    match: {
      path: { kind: "regex", value: "/a.*" },
      method: "GET",
      headers: [{ name: "x", value: "y" }],
      query: [{ name: "q", value: "1" }],
    },
    filters: [],
    backends: [{ kind: "Service", namespace: "shop", name: "web", port: { kind: "number", number: 80 }, weight: 1 }],
    timeouts: {},
  };
  const virtualHosts = [{ host: "*.shop.test", routes: [route] }];
  const listener = {
    name: "shop/edge 80",
    protocol: "HTTP",
    virtualHosts: [],
    certificates: [],
    sections: [{ name: "s", host: "*", virtualHosts }],
  } as const;
  const reading = {
    ...processed({ ingresses: [ingress("a", { rules: [{ host: "a.test", http: { paths: [path("/cart", "Exact", "cart")] } }] })] }),
    services: [],
    slices: [],
    gateways: [{ name: "Gateway shop/edge", port: 80, listener }],
    unattached: ["HTTPRoute shop/lost: Gateway shop/nowhere does not exist"],
  };
  const lines = routesText(reading, { paint: plain } as Terminal).split("\n");
  expect(lines.slice(0, 6)).toEqual([
    "a.test",
    `  ${"Exact  /cart".padEnd(32)} default/cart:80 → ServiceNotFound`,
    "Gateway shop/edge",
    "  *.shop.test",
    `    ${"Pattern /a.* GET x: y ?q=1".padEnd(32)} shop/web:80 → ServiceNotFound`,
    "! HTTPRoute shop/lost: Gateway shop/nowhere does not exist",
  ]);
  expect(routesText({ ...reading, ...processed({}), gateways: [], unattached: [] }, { paint: plain } as Terminal)).toBe(
    "no Ingress, no Gateway",
  );
});
