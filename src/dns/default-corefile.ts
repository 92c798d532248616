/** The Corefile of a new cluster: kubeadm's (cmd/kubeadm/app/phases/addons/dns/manifests.go, 1.36), for the given domain, with further names if there are any. */
export function defaultCorefile(clusterDomain: string, hosts: Readonly<Record<string, readonly string[]>> = {}): string {
  const lines = Object.entries(hosts).flatMap(([name, addresses]) => addresses.map((address) => `       ${address} ${name}\n`));
  const hostsBlock = lines.length === 0 ? "" : `    hosts {\n${lines.join("")}       fallthrough\n    }\n`;
  return `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
${hostsBlock}    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success ${clusterDomain}
       disable denial ${clusterDomain}
    }
    loop
    reload
    loadbalance
}
`;
}
