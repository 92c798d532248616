/** What runs: deployments and their roll-outs, pods, jobs, nodes. */
import { expect } from "vitest";
import type { Session } from "./session.ts";

export async function rollouts(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(["-n", ns, "create", "deployment", "web", "--image=busybox", "--replicas=2", "--port=8080", "--", "sleep", "1000"]);
  await k.ok(["-n", ns, "patch", "deployment", "web", "-p", '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":0}}}}']);
  await k.ok(`-n ${ns} rollout status deployment/web --timeout=90s`);
  expect(await k.ok(`-n ${ns} get deployment web`)).toMatch(/web +2\/2 +2 +2 /);
  expect(await k.ok(`-n ${ns} get deployment web -o wide`)).toMatch(/busybox +busybox +app=web/);
  expect(await k.ok(`-n ${ns} get rs,pods -o wide`)).toMatch(/pod\/web-\S+ +1\/1 +Running/);
  await k.ok(`-n ${ns} scale deployment web --replicas=3`);
  expect(await k.fails(`-n ${ns} scale deployment web --replicas=1 --current-replicas=7`)).toContain("Expected replicas to be 7");
  await k.ok(`-n ${ns} wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=90s`);
  await k.ok(`-n ${ns} expose deployment web --port=80 --target-port=8080`);
  expect((await k.json(`-n ${ns} get service web`)).spec.selector).toEqual({ app: "web" });
  await k.ok(`-n ${ns} set env deployment/web COLOUR=blue`);
  await k.ok(`-n ${ns} set resources deployment web --requests=cpu=10m --limits=cpu=100m`);
  await k.ok(`-n ${ns} set serviceaccount deployment web default`);
  await k.ok(`-n ${ns} rollout status deployment/web --timeout=90s`);
  expect(await k.ok(`-n ${ns} set env deployment/web --list`)).toContain("COLOUR=blue");
  expect(await k.ok(`-n ${ns} rollout history deployment/web`)).toMatch(/REVISION +CHANGE-CAUSE/);
  await k.ok(`-n ${ns} rollout pause deployment/web`);
  await k.ok(`-n ${ns} rollout resume deployment/web`);
  await k.ok(`-n ${ns} rollout restart deployment/web`);
  await k.ok(`-n ${ns} rollout status deployment/web --timeout=90s`);
  await k.ok(`-n ${ns} rollout undo deployment/web`);
  await k.ok(`-n ${ns} rollout status deployment/web --timeout=90s`);
  await k.ok(`-n ${ns} set image deployment/web busybox=busybox:latest`);
  expect(await k.ok(`-n ${ns} describe deployment web`)).toMatch(/Replicas: +3 desired/);
  expect(await k.ok(`-n ${ns} describe rs`)).toContain("Controlled By:  Deployment/web");
  expect(await k.fails(`-n ${ns} autoscale deployment web --min=1 --max=3`)).toMatch(/autoscaling|HorizontalPodAutoscaler|not find/i);
  await k.ok(`-n ${ns} events`);
  expect(await k.ok(`-n ${ns} get events --field-selector involvedObject.kind=Deployment`)).toContain("ScalingReplicaSet");
  await k.ok(`-n ${ns} delete all --all --timeout=60s`);
}

export async function podsAndJobs(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(["-n", ns, "run", "talk", "--image=busybox", "--restart=Never", "--labels=a=b", "--", "sh", "-c", "echo first; echo second"]);
  await k.ok(`-n ${ns} wait --for=jsonpath={.status.phase}=Succeeded pod/talk --timeout=60s`);
  expect(await k.ok(`-n ${ns} logs talk`)).toBe("first\nsecond\n");
  expect(await k.ok(`-n ${ns} logs -f talk`)).toBe("first\nsecond\n");
  expect(await k.ok(`-n ${ns} logs -l a=b --tail=1 --prefix`)).toBe("[pod/talk/talk] second\n");
  expect(await k.ok(`-n ${ns} logs talk --timestamps --limit-bytes=20`)).toMatch(/^\d{4}-/);
  expect(await k.ok(`-n ${ns} get pod talk`)).toMatch(/talk +0\/1 +Completed +0 /);
  expect(await k.ok(`-n ${ns} describe pod talk`)).toMatch(/Reason: +Completed/);
  await k.ok(["-n", ns, "create", "job", "once", "--image=busybox", "--", "sh", "-c", "echo done"]);
  await k.ok(`-n ${ns} wait --for=condition=Complete job/once --timeout=90s`);
  expect(await k.ok(`-n ${ns} logs job/once`)).toBe("done\n");
  expect(await k.ok(`-n ${ns} get jobs`)).toMatch(/once .*1\/1/);
  expect(await k.ok(`-n ${ns} describe job once`)).toMatch(/Completions: +1/);
  await k.ok(["-n", ns, "create", "cronjob", "tick", "--image=busybox", "--schedule=0 0 1 1 *", "--", "true"]);
  expect(await k.ok(`-n ${ns} get cronjob tick`)).toContain("0 0 1 1 *");
  await k.ok(`-n ${ns} create job manual --from=cronjob/tick`);
  await k.ok(`-n ${ns} describe cronjob tick`);
  await k.ok(`-n ${ns} delete job,cronjob --all`);
  await k.ok(`-n ${ns} delete pod talk --grace-period=0 --force`);
  expect(await k.fails(`-n ${ns} run bad --image=busybox --restart=Sometimes`)).toMatch(/invalid restart policy/);
}

export async function nodes(k: Session): Promise<void> {
  const [name = ""] = (await k.ok("get nodes -o name")).trim().replaceAll("node/", "").split("\n");
  const node = `node ${name}`;
  expect(await k.ok("get nodes -o wide")).toMatch(/Ready/);
  expect(await k.ok(`describe ${node}`)).toMatch(/Conditions:/);
  await k.ok(`label ${node} disk=ssd`);
  await k.ok(`taint ${node} dedicated=web:PreferNoSchedule`);
  await k.ok(`taint ${node} dedicated:PreferNoSchedule-`);
  expect(await k.ok(`cordon ${name}`)).toContain("cordoned");
  expect(await k.ok("get nodes")).toContain("SchedulingDisabled");
  expect(await k.ok(`uncordon ${name}`)).toContain("uncordoned");
  expect(await k.ok(`drain ${name} --dry-run=server --ignore-daemonsets --force --delete-emptydir-data`)).toMatch(/drained|cordoned/);
  await k.ok(`uncordon ${name}`);
  await k.ok(`label ${node} disk-`);
}
