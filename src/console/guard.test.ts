import { expect, test } from "vitest";
import { cookieOf, refusalOf, securityHeaders } from "./guard.ts";

const own = { method: "GET", path: "/console/feed", host: "127.0.0.1:6480", origin: undefined, site: "same-origin" };

test.for([
  ["its own page", {}, undefined],
  ["localhost by name", { host: "localhost:6480" }, undefined],
  ["IPv6 loopback", { host: "[::1]:6480" }, undefined],
  ["a browser that sends no Sec-Fetch-Site", { site: undefined }, undefined],
  ["the same origin by name", { origin: "http://127.0.0.1:6480" }, undefined],
  ["somebody follows a link to the page", { path: "/services/shop/web", site: "cross-site" }, undefined],
  ["a name bound to 127.0.0.1 elsewhere", { host: "evil.example:6480" }, 421],
  ["the host of another port", { host: "127.0.0.1:8080" }, 421],
  ["no host", { host: undefined }, 421],
  ["a page of another origin", { origin: "http://evil.example" }, 403],
  ["a page of another port of this machine", { origin: "http://127.0.0.1:8080", site: "same-site" }, 403],
  ["a sandboxed frame", { origin: "null" }, 403],
  ["another site wants data", { site: "cross-site" }, 403],
  ["a neighbouring port wants data", { site: "same-site" }, 403],
  ["somebody types the address of data", { site: "none" }, 403],
  ["a write", { method: "DELETE" }, 405],
  ["a write to the page", { method: "POST", path: "/" }, 405],
  ["a request sent by a link", { path: "/console/try" }, 405],
  ["a session begun by a link", { path: "/console/session" }, 405],
  ["a request to try", { method: "POST", path: "/console/try" }, undefined],
] as const)("%s", ([, change, status]) => {
  expect(refusalOf({ ...own, ...change }, 6480)?.status).toBe(status);
});

test("a cookie is found by its whole name", () => {
  const header = "fairlead-console-64=a; fairlead-console-6480=b=; x=y";
  expect(cookieOf(header, "fairlead-console-6480")).toBe("b=");
  expect(cookieOf(header, "console-6480")).toBe("");
  expect(cookieOf(undefined, "x")).toBe("");
});

test("the page may run its own scripts and nothing else, and nobody may frame it", () => {
  const policy = securityHeaders["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*|data:|blob:/);
});
