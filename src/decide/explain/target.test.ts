import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTarget } from "./target.ts";

describe("what a word asks about", () => {
  test.each([
    ["http://web.shop:8080/cart?x=1", { kind: "url", scheme: "http", host: "web.shop", port: 8080, rawPath: "/cart?x=1" }],
    ["HTTPS://shop.example.com", { kind: "url", scheme: "https", host: "shop.example.com", port: 443, rawPath: "/" }],
    ["http://[fd00::7]:81/", { kind: "url", scheme: "http", host: "fd00::7", port: 81, rawPath: "/" }],
    ["http://user@web/", { kind: "url", scheme: "http", host: "web", port: 80, rawPath: "/" }],
    ["web", { kind: "name", name: "web", protocol: "TCP" }],
    ["_http._tcp.web.shop", { kind: "name", name: "_http._tcp.web.shop", protocol: "TCP" }],
    ["web.shop:53/udp", { kind: "name", name: "web.shop", port: 53, protocol: "UDP" }],
    ["web/tcp", { kind: "name", name: "web", protocol: "TCP" }],
    ["10.96.0.7:80", { kind: "address", address: "10.96.0.7", port: 80, protocol: "TCP" }],
    ["fd00:0::7", { kind: "address", address: "fd00::7", protocol: "TCP" }],
    ["[fd00::7]:53/UDP", { kind: "address", address: "fd00::7", port: 53, protocol: "UDP" }],
    ["svc/web", { kind: "object", object: "Service", name: "web" }],
    ["services/shop/web:8080", { kind: "object", object: "Service", namespace: "shop", name: "web", port: 8080 }],
    ["po/web-1", { kind: "object", object: "Pod", name: "web-1" }],
    ["ingress/shop", { kind: "object", object: "Ingress", name: "shop" }],
    ["httproute/shop", { kind: "object", object: "HTTPRoute", name: "shop" }],
  ])("%s", (text, target) => expect(parseTarget(text)).toEqual(target));

  test.each(["", "http://", "http://web:99999/", "web:99999", "a b", "deployment/web", "svc/a/b/c"])("%j is none", (text) => {
    expect(parseTarget(text).kind).toBe("unreadable");
  });

  test("no text of a stranger throws", () => {
    // Made of the signs that count, so that few strings try much.
    const signs = fc.string({
      unit: fc.constantFrom("http://", "svc/", "web", ".", ":", "/", "[", "]", "80", "?", "#", "@", "_", "::", "\n", "é"),
    });
    fc.assert(fc.property(signs, (text) => typeof parseTarget(text).kind === "string"));
  });
});
