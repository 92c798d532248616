/** Names, addresses and ports of pods. */
import assert from "node:assert/strict";
import { errnoCode } from "../../../lib/errors.ts";
import { connectFromHost } from "../connect.ts";
import { exec, finish, shell, start, until, waits, type RuntimeCase, type Started } from "./rig.ts";

export const networkCases: readonly RuntimeCase[] = [
  {
    name: "a server of a pod is reached at its address and through its localhost; a closed port refuses",
    async run(rig) {
      const { runtime } = rig;
      const script = "require('http').createServer((q, r) => r.end('hi')).listen(8080, process.env.HOST, () => console.log('up'))";
      const started = await start(rig, { image: "node", command: ["node", "-e", script] });
      await until(() => started.output().includes("up"));
      const connect = runtime.connect ?? connectFromHost;
      for (const host of rig.traits.isolated ? started.pod.ips : [started.pod.ip]) {
        assert.match(await request(await connect({ host, port: 8080 })), /hi$/);
        await assert.rejects(connect({ host, port: 8081 }), (error) => errnoCode(error) === "ECONNREFUSED");
      }
      if (runtime.dial !== undefined) {
        assert.match(await request(await runtime.dial(started.pod, 8080)), /hi$/);
        await assert.rejects(runtime.dial(started.pod, 8081), /failed to connect to localhost:8081 inside pod default\/pod-\d+/);
      }
      await started.remove();
    },
  },
];

/** Where each container has files of its own, each pod a network of its own. */
export const isolatedNetworkCases: readonly RuntimeCase[] = [
  {
    name: "its own names: hostname, /etc/hosts, /etc/resolv.conf, aliases",
    async run(rig) {
      const spec = { hostAliases: [{ ip: "1.2.3.4", hostnames: ["alias.example"] }], subdomain: "web", hostname: "web-0" };
      const { output, pod } = await finish(rig, shell("hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf"), { spec });
      assert.match(output, /^web-0\nweb-0\n/);
      assert.ok(output.includes(`${pod.ip}\tweb-0.web.default.svc.cluster.local\tweb-0\n`));
      assert.match(output, /^1\.2\.3\.4\talias\.example$/m);
      assert.match(output, /^nameserver 10\.96\.0\.10$/m);
      assert.match(output, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m);
    },
  },
  {
    name: "its own addresses and ports: two pods on one port, low ones too, without root",
    async run(rig) {
      const script = "require('net').createServer((s) => s.end('hi')).listen(80, () => console.log('up'))";
      const server = { image: "node", command: ["node", "-e", script] };
      const both = [await start(rig, server), await start(rig, server)];
      for (const one of both) await until(() => one.output().includes("up"));
      const [a, b] = both as [Started, Started];
      const client = `const s = require('net').connect(80, '${b.pod.ip}'); s.on('data', (d) => console.log(String(d), s.localAddress)); s.on('error', (e) => { console.log(e.code) })`;
      assert.equal((await exec(a, ["node", "-e", client])).output, `hi ${a.pod.ip}\n`);
      for (const one of both) await one.remove();
    },
  },
  {
    name: "hostPort: TCP and UDP of the node lead to the pod, a taken one is refused, and it is free again afterwards",
    async run(rig) {
      const script =
        "require('net').createServer((s) => s.end('tcp')).listen(81); const u = require('dgram').createSocket('udp4'); u.on('message', (m, r) => u.send('udp ' + m, r.port, r.address)); u.bind(82, () => console.log('up'))";
      const ports = [
        { containerPort: 81, hostPort: 8181, hostIP: "127.0.0.1" },
        { containerPort: 82, hostPort: 8182, protocol: "UDP" },
      ];
      const server = { image: "node", command: ["node", "-e", script], ports };
      const started = await start(rig, server);
      await until(() => started.output().includes("up"));
      const onNode = await start(rig, { ...waits, image: "node" }, { spec: { hostNetwork: true } });
      const ask = `require('net').connect(8181, '127.0.0.1').on('data', (d) => console.log(String(d)));
        const u = require('dgram').createSocket('udp4'); u.on('message', (m, r) => { console.log(String(m), r.address, r.port); u.close(); }); u.send('x', 8182, '10.250.0.1')`;
      const { output } = await exec(onNode, ["node", "-e", ask]);
      assert.deepEqual(output.trim().split("\n").sort(), ["tcp", "udp x 10.250.0.1 8182"]);
      await assert.rejects(start(rig, server), /hostPort 127\.0\.0\.1:8181\/TCP is in use/);
      await started.remove();
      await onNode.remove();
      await (await start(rig, server)).remove();
    },
  },
];

async function request(socket: import("node:stream").Duplex, path = "/"): Promise<string> {
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}
