import { expect, test } from "vitest";
import { reportText, shellWord, type ClusterReport } from "./report.ts";

const same = (text: string) => text;
const paint = { bold: same, dim: same, green: same, yellow: same, red: same, cyan: same };

const report: ClusterReport = {
  apiVersion: "fairlead.dev/v1alpha1",
  kind: "ClusterReport",
  name: "default",
  version: "0.1.0",
  mode: "loopback",
  server: "https://127.0.0.1:6443",
  kubeconfig: "/home/a b/kubeconfig",
  nodes: [{ name: "node-1", ready: true, address: "127.0.0.1", podCIDR: "127.97.0.0/17" }],
  pods: [
    { namespace: "shop", name: "web-1", ready: true, status: "Running", ip: "127.97.0.2", node: "node-1" },
    { namespace: "shop", name: "web-2", ready: false, status: "CrashLoopBackOff", ip: "", node: "node-1" },
  ],
  services: [
    {
      namespace: "shop",
      name: "web",
      type: "ClusterIP",
      clusterIP: "127.96.0.7",
      ports: ["http 80/TCP"],
      endpoints: ["1:80", "2:80", "3:80", "4:80", "5:80"],
    },
    { namespace: "shop", name: "lost", type: "ClusterIP", clusterIP: "127.96.0.8", ports: ["80/TCP"], endpoints: [] },
  ],
  requests: [
    {
      service: "shop/web",
      url: "http://127.96.0.7/",
      from: "shop/web-1",
      sent: 6,
      succeeded: 5,
      endpoints: 2,
      answers: ["hello"],
      errors: ["ECONNRESET"],
    },
  ],
  names: [
    { name: "web.shop.svc.cluster.local", type: "A", rcode: "NOERROR", answers: ["127.96.0.7"] },
    { name: "x.shop.svc.cluster.local", type: "CNAME", rcode: "NXDOMAIN", answers: [] },
  ],
  open: [{ service: "shop/web http", url: "http://127.96.0.7:80" }],
  problems: ["Service shop/lost has no endpoints"],
};

test("the report for people", () => {
  expect(reportText(report, paint)).toBe(`Nodes
  node-1  Ready  127.0.0.1  pods 127.97.0.0/17

Pods
  shop/web-1  Running           127.97.0.2  node-1
  shop/web-2  CrashLoopBackOff  -           node-1

Services
  shop/web   ClusterIP  127.96.0.7  http 80/TCP  → 1:80, 2:80, 3:80, 4:80 + 1 more
  shop/lost  ClusterIP  127.96.0.8  80/TCP       → no endpoints

Requests from pod shop/web-1
  shop/web  http://127.96.0.7/  5 of 6 succeeded, 1 of 2 endpoints answered
    hello
  shop/web: ECONNRESET

Names
  web.shop.svc.cluster.local  A      127.96.0.7
  x.shop.svc.cluster.local    CNAME  NXDOMAIN

Open from this machine
  shop/web http  http://127.96.0.7:80

To know
  ! Service shop/lost has no endpoints

kubectl
  export KUBECONFIG='/home/a b/kubeconfig'`);
});

test("empty sections are left out", () => {
  expect(reportText({ ...report, pods: [], services: [], requests: [], names: [], open: [], problems: [] }, paint)).not.toMatch(
    /Pods|Services|Names|To know/,
  );
});

test("a shell reads the word as it stands", () => {
  expect(shellWord("/tmp/x-1")).toBe("/tmp/x-1");
  expect(shellWord("it's")).toBe(String.raw`'it'\''s'`);
});
