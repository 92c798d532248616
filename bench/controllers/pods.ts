/**
 * What a pod costs from its Deployment to its being ready, with all controllers, the API server in memory and nodes that only
 * say that their pods run: `bin/node bench/controllers/pods.ts`. The ratio tells whether the cost of one pod grows with their
 * number; the worst delay of a timer, whether anything holds the thread.
 */
import { deployments } from "../../src/api/resources.ts";
import { startPretendCluster, until } from "../../src/controllers/pretend-cluster.cases.ts";
import { testDeployment } from "../../src/controllers/testing.ts";
import { worstTimerDelay } from "./worst-delay.ts";

interface Result {
  readonly replicas: number;
  readonly podsPerSecond: number;
  readonly cpuMsPerPod: number;
  readonly worstTimerDelayMs: number;
}

async function measure(nodes: number, replicas: number): Promise<Result> {
  const cluster = await startPretendCluster(Array.from({ length: nodes }, (_, index) => `node-${index}`));
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const worst = worstTimerDelay();
  await cluster.client.create(deployments, testDeployment({ replicas }, { uid: undefined, generation: undefined }));
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return (await cluster.get(deployments, "web")).status?.readyReplicas === replicas;
  });
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  await cluster.stop();
  return {
    replicas,
    podsPerSecond: Math.round(replicas / seconds),
    cpuMsPerPod: Number(((used.user + used.system) / 1000 / replicas).toFixed(2)),
    worstTimerDelayMs: Math.round(worst()),
  };
}

await measure(10, 100); // warms up
const few = await measure(50, 500);
const many = await measure(50, 2500);
console.table([few, many]);
console.log(`one pod of 2500 costs ${(many.cpuMsPerPod / few.cpuMsPerPod).toFixed(2)} times one of 500`);
