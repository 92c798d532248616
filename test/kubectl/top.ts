/** What nodes and pods use. */
import { expect } from "vitest";
import type { Session } from "./session.ts";

export async function top(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(["-n", ns, "run", "busy", "--image=busybox", "--labels=a=b", "--", "sh", "-c", "while :; do :; done"]);
  await k.ok(["-n", ns, "run", "idle", "--image=busybox", "--", "sleep", "1000"]);
  await k.ok(`-n ${ns} wait --for=condition=Ready pod --all --timeout=60s`);
  const metrics = JSON.parse(await k.ok(`get --raw /apis/metrics.k8s.io/v1beta1/namespaces/${ns}/pods`)) as object;
  expect(metrics).toMatchObject({
    kind: "PodMetricsList",
    items: [{ metadata: { name: "busy", labels: { a: "b" } } }, { metadata: { name: "idle" } }],
  });
  expect(await k.ok(`-n ${ns} top pod`)).toMatch(
    /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nbusy +[1-9]\d*m +\d+Mi *\nidle +\d+m +\d+Mi *\n$/,
  );
  expect(await k.ok(`-n ${ns} top pod busy --containers --no-headers`)).toMatch(/^busy +busy +[1-9]\d*m +\d+Mi *\n$/);
  expect(await k.ok(`-n ${ns} top pod -l a=b --sort-by=cpu --no-headers`)).toMatch(/^busy .*\n$/);
  expect(await k.fails(`-n ${ns} top pod absent`)).toContain('pods.metrics.k8s.io "absent" not found');
  expect(await k.ok("top node")).toMatch(/^NAME .*\n\S+ +[1-9]\d*m +\d+% +[1-9]\d*Mi +\d+% *\n/);
  expect(await k.ok(`-n ${ns} get pods.metrics.k8s.io`)).toMatch(/^NAME +CPU +MEMORY +WINDOW\nbusy +\d+n +\d+Ki +[\d.]+s\n/);
  expect(await k.fails(`-n ${ns} delete pods.metrics.k8s.io busy`)).toMatch(/MethodNotAllowed|not allow/);
  await k.ok(`-n ${ns} delete pod --all --grace-period=0 --force`);
}
