/** What ipvs mode needs of user-mode-linux' modules, with every scheduler that it has. */
export const ipvsModules: readonly string[] = [
  "ip_vs",
  ...["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "fo", "ovf", "mh"].map((name) => `ip_vs_${name}`),
  ...["ip_set_hash_ip", "ip_set_hash_ipport", "ip_set_hash_ipportip", "ip_set_hash_ipportnet", "ip_set_bitmap_port"],
  ...["xt_set", "xt_ipvs", "xt_physdev", "xt_nat", "xt_MASQUERADE", "xt_mark", "xt_comment", "xt_addrtype", "xt_conntrack", "xt_tcpudp"],
  ...["iptable_nat", "iptable_filter", "ip6table_nat", "ip6table_filter", "ipt_REJECT", "ip6t_REJECT"],
  ...["dummy", "veth", "br_netfilter", "nf_conntrack_netlink"],
];
