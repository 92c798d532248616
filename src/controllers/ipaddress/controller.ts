/** Keeps an IPAddress for each address of each Service, makes anew what somebody removed, and tells of what two Services have. */
import { objectKey } from "../../api/object.ts";
import { ipAddresses, services } from "../../api/resources.ts";
import type { IPAddress, Service } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { addressesHeld, nodePortsHeld, serviceFaults } from "./faults.ts";
import { writeAddresses } from "./finalize.ts";
import { parentKey, planAddresses } from "./reconcile.ts";

export const ipAddressController: ControllerEntry = { name: "ipaddress", create };

const byParent = "controllers/parent";
const byAddress = "controllers/address";
const byNodePort = "controllers/nodePort";

function create(context: ControllerContext): Component {
  const serviceInformer = context.informers.informer(services);
  const addressInformer = context.informers.informer(ipAddresses);
  addressInformer.addIndex(byParent, (address) => [parentKey(address) ?? ""]);
  serviceInformer.addIndex(byAddress, addressesHeld);
  serviceInformer.addIndex(byNodePort, nodePortsHeld);
  const recorder = context.recorder("ipallocator-repair-controller");
  const holders = {
    ofAddress: (address: string) => serviceInformer.lister.byIndex(byAddress, address),
    ofPort: (port: string) => serviceInformer.lister.byIndex(byNodePort, port),
  };
  /** By hand, since its Service still has the address. */
  const tellOfRemoved = (address: IPAddress) => {
    const service = serviceInformer.lister.getByKey(parentKey(address) ?? "");
    const { name = "" } = address.metadata;
    if (service === undefined || !addressesHeld(service).includes(name)) return;
    const family = name.includes(":") ? "IPv6" : "IPv4";
    recorder.event(service, "Warning", "ClusterIPNotAllocated", `Cluster IP [${family}]: ${name} is not allocated; repairing`);
  };
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
      const removed = (address: IPAddress) => {
        tellOfRemoved(address);
        ofAddress(address);
      };
      return [
        serviceInformer.addHandlers({ added: ofService, updated: serviceChanged, deleted: ofService }),
        addressInformer.addHandlers({ added: ofAddress, deleted: removed }),
      ];
    },
    reconcile: async (key) => {
      const service = serviceInformer.lister.getByKey(key);
      for (const { reason, message } of service === undefined ? [] : serviceFaults(service, holders))
        recorder.event(service as Service, "Warning", reason, message);
      const plan = planAddresses(service, addressInformer.lister.byIndex(byParent, key));
      await writeAddresses(context.client, plan);
    },
  });
}
