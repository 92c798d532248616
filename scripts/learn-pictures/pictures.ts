/** The pictures of `docs/learn`, in a language. */
import type { Box, Picture } from "./draw.ts";

export type Language = "en" | "zh-CN";

/** File name without ending → picture. */
export function pictures(language: Language): Readonly<Record<string, Picture>> {
  const t = (english: string, chinese: string) => (language === "en" ? english : chinese);
  const box = (id: string, label: string, detail?: string, tone?: Box["tone"]): Box => ({
    id,
    label,
    ...(detail === undefined ? {} : { detail }),
    ...(tone === undefined ? {} : { tone }),
  });
  const webs = (address = (index: number) => `10.244.${index % 2}.${index}:80`) =>
    [1, 2, 3].map((index) => box(`web-${index}`, `web-${index}`, address(index)));
  const client = box("client", "client", "10.244.1.1");
  return {
    "00-shop": {
      title: t("Two nodes with the pods of the shop", "两个节点和商店的 Pod"),
      columns: [
        [box("api", t("API server", "API 服务器"), t("objects", "对象"), "strong")],
        [box("n1", "node-1", "kubelet · proxy"), box("n2", "node-2", "kubelet · proxy")],
        [
          box("w1", "web", "web-…"),
          box("w2", "web", "web-…"),
          box("d1", "db-1"),
          box("w3", "web", "web-…"),
          box("d0", "db-0"),
          box("c", "client"),
        ],
      ],
      arrows: [
        { from: "api", to: "n1", label: t("watch", "监视") },
        { from: "api", to: "n2", label: t("watch", "监视") },
        ...["w1", "w2", "d1"].map((to) => ({ from: "n1", to })),
        ...["w3", "d0", "c"].map((to) => ({ from: "n2", to })),
      ],
    },
    "01-service": {
      title: t("One address for three pods", "三个 Pod，一个地址"),
      columns: [[client], [box("svc", "Service web", "10.96.80.80:8080", "strong")], webs()],
      arrows: [
        { from: "client", to: "svc", label: "web:8080" },
        { from: "svc", to: "web-1", dashed: true },
        { from: "svc", to: "web-2", label: t("one of them", "其中之一") },
        { from: "svc", to: "web-3", dashed: true },
      ],
    },
    "02-endpoints": {
      title: t("Who writes EndpointSlices and who reads them", "谁写 EndpointSlice，谁读它"),
      columns: [
        [box("pods", t("Pods", "Pod"), "app=web, Ready", "soft"), box("svc", "Service", "selector app=web", "soft")],
        [box("controller", t("EndpointSlice controller", "EndpointSlice 控制器"))],
        [box("slice", "EndpointSlice", "web-cbg2r", "strong")],
        [box("proxy", t("proxy", "代理"), t("on each node", "每个节点")), box("dns", "DNS"), box("gateway", t("gateway", "网关"))],
      ],
      arrows: [
        { from: "pods", to: "controller", label: t("watch", "监视") },
        { from: "svc", to: "controller", label: t("watch", "监视") },
        { from: "controller", to: "slice", label: t("writes", "写") },
        { from: "slice", to: "proxy", label: t("watch", "监视") },
        { from: "slice", to: "dns" },
        { from: "slice", to: "gateway" },
      ],
    },
    "03-virtual-address": {
      title: t("One plan, three ways to say it", "一份计划，三种说法"),
      columns: [
        [box("plan", t("the plan", "计划"), "10.96.80.80:8080 → 3", "strong")],
        [
          box("iptables", "iptables", t("a list, gone through", "逐条比较的列表")),
          box("ipvs", "ipvs", t("a hash table", "哈希表")),
          box("nftables", "nftables", t("maps", "映射")),
        ],
        [box("kernel", t("the node's kernel", "节点的内核"), "DNAT")],
        [box("pod", t("one of three pods", "三个 Pod 之一"), "10.244.0.2:80")],
      ],
      arrows: [
        ...["iptables", "ipvs", "nftables"].flatMap((id) => [
          { from: "plan", to: id },
          { from: id, to: "kernel" },
        ]),
        { from: "kernel", to: "pod" },
      ],
    },
    "04-affinity": {
      title: t("A client is remembered", "客户端被记住"),
      columns: [
        [client],
        [
          box("svc", "Service web", "sessionAffinity: ClientIP", "strong"),
          box("memory", t("the kernel's memory", "内核的记忆"), "10.244.1.1 → web-2, 60 s", "soft"),
        ],
        webs(),
      ],
      arrows: [
        { from: "client", to: "svc" },
        { from: "svc", to: "memory", label: t("look", "查") },
        { from: "svc", to: "web-1", dashed: true },
        { from: "svc", to: "web-2", label: t("each time", "每次") },
        { from: "svc", to: "web-3", dashed: true },
      ],
    },
    "05-headless": {
      title: t("A name for one address, a name for each pod", "一个地址的名字，每个 Pod 的名字"),
      columns: [
        [box("web", "web", undefined, "soft"), box("db", "db", undefined, "soft"), box("db1", "db-1.db", undefined, "soft")],
        [box("dns", "DNS", undefined, "strong")],
        [box("vip", t("cluster IP", "Cluster IP"), "10.96.80.80"), box("p0", "db-0", "10.244.1.3"), box("p1", "db-1", "10.244.0.3")],
      ],
      arrows: [
        { from: "web", to: "dns" },
        { from: "db", to: "dns" },
        { from: "db1", to: "dns" },
        { from: "dns", to: "vip", label: "web" },
        { from: "dns", to: "p0", label: "db" },
        { from: "dns", to: "p1", label: "db · db-1.db" },
      ],
    },
    "06-dns": {
      title: t("A chain of plugins", "插件链"),
      columns: [
        [box("q", t("question", "问题"), "web.default.svc…", "soft")],
        [box("cache", "cache", t("known already?", "已经知道？"))],
        [box("hosts", "hosts", t("a line for it?", "有这一行？"))],
        [box("kubernetes", "kubernetes", t("below cluster.local?", "在 cluster.local 里？"), "strong")],
        [box("forward", "forward", t("all others", "其余的"))],
      ],
      arrows: [
        { from: "q", to: "cache" },
        { from: "cache", to: "hosts", label: t("no: next", "否，下一个") },
        { from: "hosts", to: "kubernetes", label: t("no: next", "否，下一个") },
        { from: "kubernetes", to: "forward", label: t("no: next", "否，下一个") },
      ],
    },
    "07-node-cache": {
      title: t("A cache on each node", "每个节点一个缓存"),
      columns: [
        [box("a", t("pod", "Pod")), box("b", t("pod", "Pod")), box("c", t("pod", "Pod"))],
        [box("cache", t("cache on the node", "节点上的缓存"), "169.254.20.10", "strong")],
        [box("dns", "kube-dns", "10.96.0.10"), box("out", t("the machine's resolver", "机器的解析器"))],
      ],
      arrows: [
        ...["a", "b", "c"].map((from) => ({ from, to: "cache", ...(from === "b" ? { label: "UDP" } : {}) })),
        { from: "cache", to: "dns", label: t("TCP, if not known", "不知道时用 TCP") },
        { from: "cache", to: "out" },
      ],
    },
    "08-outside": {
      title: t("Ways in from outside", "从外面进来的路"),
      columns: [
        [box("you", t("your machine", "你的机器"))],
        [
          box("np", "NodePort", t("any node, port 30080", "任意节点，端口 30080")),
          box("lb", "LoadBalancer", t("its own address, port 8080", "自己的地址，端口 8080")),
        ],
        [box("svc", t("the same endpoints", "同一批端点"), "app=web", "strong")],
        webs(),
      ],
      arrows: [
        { from: "you", to: "np" },
        { from: "you", to: "lb" },
        { from: "np", to: "svc" },
        { from: "lb", to: "svc" },
        ...webs().map(({ id }) => ({ from: "svc", to: id })),
      ],
    },
    "09-ingress": {
      title: t("The gateway reads host and path", "网关读出主机名和路径"),
      columns: [
        [box("you", t("browser", "浏览器"), "shop.localhost/…")],
        [box("gateway", t("gateway", "网关"), t("reads the request", "读取请求"), "strong")],
        [box("exact", "/admin", t("exact: goes first", "精确匹配：优先"), "soft"), box("prefix", "/", t("prefix", "前缀"), "soft")],
        [
          box("admin", "Service admin", t("does not exist: 503", "不存在：503")),
          box("web", t("an endpoint of web", "web 的一个端点"), "10.244.0.2:80"),
        ],
      ],
      arrows: [
        { from: "you", to: "gateway", label: "HTTP" },
        { from: "gateway", to: "exact" },
        { from: "gateway", to: "prefix" },
        { from: "exact", to: "admin" },
        { from: "prefix", to: "web" },
      ],
    },
    "10-debugging": {
      title: t("The way of a request, and what to ask", "请求经过的路和该问的问题"),
      columns: [
        [box("name", t("name", "名字"), t("does it resolve?", "能解析吗？"))],
        [box("svc", "Service", t("has it that port?", "有这个端口吗？"))],
        [box("endpoints", t("endpoints", "端点"), t("any ready?", "有就绪的吗？"), "strong")],
        [box("rule", t("rule", "规则"), t("is there one?", "有规则吗？"))],
        [box("pod", "Pod", t("does it listen?", "在监听吗？"))],
      ],
      arrows: [
        { from: "name", to: "svc" },
        { from: "svc", to: "endpoints" },
        { from: "endpoints", to: "rule" },
        { from: "rule", to: "pod" },
      ],
    },
  };
}
