/** Protects ServiceCIDRs that are in use, and says which give addresses. */
import { ipAddresses, serviceCidrs, services } from "../../api/resources.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { managedBy, managedByLabel } from "../ipaddress/reconcile.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { writeCondition, writeFinalizers } from "./finalize.ts";
import { planServiceCidr } from "./reconcile.ts";

export const serviceCidrController: ControllerEntry = { name: "servicecidr", create };

function create(context: ControllerContext): Component {
  const { informers, client, clock } = context;
  const [cidrs, addresses, serviceInformer] = [
    informers.informer(serviceCidrs),
    informers.informer(ipAddresses),
    informers.informer(services),
  ];
  const addAll = (queue: KeyQueue) => {
    for (const { metadata } of cidrs.lister.list()) queue.add(metadata.name ?? "");
  };
  /** Only one that is being deleted waits for addresses to go. */
  const addLeaving = (queue: KeyQueue) => {
    for (const { metadata } of cidrs.lister.list()) if (metadata.deletionTimestamp !== undefined) queue.add(metadata.name ?? "");
  };
  return createKeyController({
    name: "servicecidr",
    context,
    informers: [cidrs, addresses, serviceInformer],
    watch: (queue) => [
      cidrs.addHandlers({
        added: () => addAll(queue),
        updated: ({ metadata }) => queue.add(metadata.name ?? ""),
        deleted: () => addAll(queue),
      }),
      addresses.addHandlers({ deleted: () => addLeaving(queue) }),
      serviceInformer.addHandlers({ deleted: () => addLeaving(queue) }),
    ],
    reconcile: async (key, queue) => {
      const cidr = cidrs.lister.getByKey(key);
      if (cidr === undefined) return;
      // Whoever looks at the addresses of a range that stays would look at all of them for nothing.
      const leaving = cidr.metadata.deletionTimestamp !== undefined;
      const plan = planServiceCidr({
        cidr,
        all: cidrs.lister.list(),
        addresses: leaving ? addresses.lister.list().filter(({ metadata }) => metadata.labels?.[managedByLabel] === managedBy) : [],
        services: leaving ? serviceInformer.lister.list() : [],
        now: clock.now(),
      });
      switch (plan.kind) {
        case "none":
          return;
        case "finalizers":
          return writeFinalizers(client, cidr, plan.finalizers);
        case "status":
          return writeCondition(client, cidr, plan.condition);
        case "later":
          return queue.addAfter(key, plan.after);
        default:
          return plan satisfies never;
      }
    },
  });
}
