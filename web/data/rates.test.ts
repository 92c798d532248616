import { expect, test } from "vitest";
import { rateText, ratesBetween, serviceKey } from "./rates.ts";

const proxy = (connections: number, endpoint = "10.0.0.1:80", servicePort = "shop/web:http") => ({ servicePort, endpoint, connections });

test("counts become rates, summed over ports of a Service and of an endpoint", () => {
  const before = { at: 0, proxy: [proxy(10), proxy(5, "[fd00::1]:80")], gateway: [{ ingress: "shop/web", code: "200", requests: 100 }] };
  const after = {
    at: 2000,
    proxy: [proxy(14), proxy(5, "[fd00::1]:80"), proxy(6, "10.0.0.1:81", "shop/web:admin")],
    gateway: [
      { ingress: "shop/web", code: "200", requests: 110 },
      { ingress: "shop/web", code: "503", requests: 4 },
    ],
  };
  const rates = ratesBetween(before, after);
  expect([...rates.service]).toEqual([["shop/web", 5]]);
  expect([...rates.endpoint]).toEqual([["shop/web 10.0.0.1", 5]]);
  expect([...rates.ingress]).toEqual([["shop/web", 7]]);
  expect([...rates.failed]).toEqual([["shop/web", 2]]);
});

test("a count that fell began anew, and no time gives no rates", () => {
  expect(ratesBetween({ at: 0, proxy: [proxy(100)] }, { at: 1000, proxy: [proxy(3)] }).service.get("shop/web")).toBe(3);
  expect(ratesBetween({ at: 5, proxy: [proxy(1)] }, { at: 5, proxy: [proxy(9)] }).service.size).toBe(0);
});

test.for([
  [0, "0.0"],
  [0.24, "0.2"],
  [9.96, "10.0"],
  [10, "10"],
  [1234.5, "1235"],
] as const)("%d a second is %s", ([rate, text]) => {
  expect(rateText(rate)).toBe(text);
});

test("a port without a name has its Service's key", () => {
  expect([serviceKey("shop/web:http"), serviceKey("shop/web")]).toEqual(["shop/web", "shop/web"]);
});
