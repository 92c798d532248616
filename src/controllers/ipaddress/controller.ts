/** Keeps an IPAddress for each address of each Service. */
import { objectKey } from "../../api/object.ts";
import { ipAddresses, services } from "../../api/resources.ts";
import type { IPAddress, Service } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { writeAddresses } from "./finalize.ts";
import { parentKey, planAddresses } from "./reconcile.ts";

export const ipAddressController: ControllerEntry = { name: "ipaddress", create };

const byParent = "controllers/parent";

function create(context: ControllerContext): Component {
  const serviceInformer = context.informers.informer(services);
  const addressInformer = context.informers.informer(ipAddresses);
  addressInformer.addIndex(byParent, (address) => [parentKey(address) ?? ""]);
  return createKeyController({
    name: "ipaddress",
    context,
    informers: [serviceInformer, addressInformer],
    watch: (queue) => {
      const ofService = (service: Service) => queue.add(objectKey(service));
      const serviceChanged = (service: Service, old: Service) =>
        (service.spec?.clusterIPs ?? []).join() === (old.spec?.clusterIPs ?? []).join() ? undefined : ofService(service);
      const ofAddress = (address: IPAddress) => {
        const key = parentKey(address);
        if (key !== undefined) queue.add(key);
      };
      return [
        serviceInformer.addHandlers({ added: ofService, updated: serviceChanged, deleted: ofService }),
        addressInformer.addHandlers({ added: ofAddress, deleted: ofAddress }),
      ];
    },
    reconcile: async (key) => {
      const plan = planAddresses(serviceInformer.lister.getByKey(key), addressInformer.lister.byIndex(byParent, key));
      await writeAddresses(context.client, plan);
    },
  });
}
